import js from '@eslint/js'
import { defineConfig, globalIgnores } from 'eslint/config'
import globals from 'globals'
import tseslint from 'typescript-eslint'

export default defineConfig(
  globalIgnores(['dist/', 'test/compiled/', 'coverage/']),
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
  },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      // `import { type X } from 'koa'` would load Koa at run time.
      '@typescript-eslint/no-import-type-side-effects': 'error',
      // A number in a template literal reads the same as it prints.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => clearInterval(timer)` says all there is to say.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      // A null object is made of functions that do nothing.
      '@typescript-eslint/no-empty-function': ['error', { allow: ['functions', 'arrowFunctions', 'methods'] }],
      // `async` without `await` turns a throw into a rejection, which is what a contract of promises asks for.
      '@typescript-eslint/require-await': 'off',
      // `while (true)` is how a loop says that its end is inside.
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      // Two overloads that could be one may mean two things to a reader.
      '@typescript-eslint/unified-signatures': 'off',
      // A walk along a list begins at `this`.
      '@typescript-eslint/no-this-alias': 'off',
      // What was caught is passed on as it is.
      '@typescript-eslint/prefer-promise-reject-errors': ['error', { allowThrowingUnknown: true }],
      // A resolver may answer nothing, and says so with `void`.
      '@typescript-eslint/no-invalid-void-type': 'off',
      // Dropping a field with `const { secret, ...rest }` is not forgetting it.
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true, argsIgnorePattern: '^_' }],
    },
  },
  {
    // Its own tsconfig.json is for a copy, where the library is installed.
    files: ['demo/template/*.ts'],
    languageOptions: {
      parserOptions: { projectService: false, project: 'template.tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // What `ctx.session` has is the application's own.
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafeCalls: [{ from: 'package', name: 'test', package: 'node:test' }] },
      ],
    },
  },
  {
    files: ['lib/**/*.ts'],
    rules: { 'no-console': 'error' },
  },
  {
    // What is taken out of an object here is a function of a closure; no `this` is in it.
    files: ['test/**/*.ts', 'demo/**/*.ts'],
    rules: { '@typescript-eslint/unbound-method': 'off' },
  },
  {
    // Tests poke at untyped things on purpose: parsed JSON, `ctx.session`, options that are wrong.
    files: ['test/**/*.ts'],
    rules: {
      // What an async listener rejects with is an unhandled rejection, which fails the test.
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
    },
  },
  {
    files: ['demo/public/**/*.js', 'test/{browser,clients,demo}/**/*.js'],
    languageOptions: { globals: globals.browser },
  },
  {
    files: ['test/checks/**/*.js'],
    languageOptions: { globals: globals.node },
  },
)
