import test from 'ava'
import { networkOf } from '../../lib/koa/address.ts'
import { openEndpoint } from './endpoint.ts'

for (const [network, ...addresses] of [
  ['1.2.3.4', '1.2.3.4', '1.2.3.4:5678', '::ffff:1.2.3.4', '::FFFF:0102:0304', '0:0:0:0:0:ffff:102:304'],
  ['1.2.3.4', '::ffff:1.2.3.4:5678', '"1.2.3.4:5678"', '"1.2.3.4"'],
  ['1.2.3.4', '[::ffff:1.2.3.4]:443', '64:ff9b::1.2.3.4', '64:ff9b::102:304', '[64:ff9b::102:304]:5678'],
  ['2001:db8:1:2::/64', '2001:db8:1:2::3', '[2001:db8:1:2::3]', '[2001:db8:1:2:ffff::4]:5678', '2001:0DB8:1:2::'],
  ['2001:db8:0:0::/64', '2001:db8::1', '2001:db8:0:0:1:2:3:4'],
  ['fe80:0:0:0::/64', 'fe80::1%eth0', '[fe80::2%eth0]:80'],
  ['0:0:0:0::/64', '::1', '::'],
] as const) {
  for (const address of addresses) {
    test(`${address} is counted as ${network}`, t => {
      t.is(networkOf(address), network)
    })
  }
}

test('what is no address is counted as it is', t => {
  for (const junk of ['', 'unknown', '1.2.3.4.5:80', '[1.2.3.4', 'a:b', '[]:80', ':::', '[x]:1']) {
    t.is(networkOf(junk), junk)
  }
})

test('a client that a proxy names with its port is the same one on each connection', async t => {
  const { hub, app, open } = await openEndpoint(t, { limits: { address: 1 }, overload: 'reject' })
  app.proxy = true
  const from = async (address: string) => (await open({ headers: { 'x-forwarded-for': address } })).status
  t.is(await from('192.0.2.1:1024'), 200)
  t.is(await from('192.0.2.1:1025'), 429)
  t.is(await from('::ffff:c000:0201'), 429)
  t.is(await from('64:ff9b::c000:201'), 429)
  t.is(await from('[2001:db8::1]:1024'), 200)
  t.is(await from('[2001:db8::2]:1025'), 429)
  t.is(hub.stats().addresses, 2)
})
