/** The part of a Markdown text that is written by a program: between `<!-- name -->` and `<!-- /name -->`. */
export function sectionIn(text: string, name: string): string | undefined {
  return between(name).exec(text)?.[0]
}

/** The text with that part replaced. */
export function withSection(text: string, name: string, section: string): string {
  return text.replace(between(name), () => section)
}

function between(name: string): RegExp {
  return new RegExp(`(?<=<!-- ${name} -->\\n\\n)[\\s\\S]*(?=\\n<!-- /${name} -->)`)
}
