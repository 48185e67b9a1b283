// SPDX-License-Identifier: Apache-2.0
// Looks each argument up as a Node program does, with dns.lookup or the function that FUNCTION names;
// a line each: NAME ADDRESS|none MILLISECONDS.
const dns = require('dns').promises
const ask = process.env.FUNCTION || 'lookup'

async function main() {
  for (const name of process.argv.slice(2)) {
    const start = Date.now()
    const found = await dns[ask](name).catch(() => null)
    const address = found === null ? 'none' : ask === 'lookup' ? found.address : found[0]
    console.log(name, address, Date.now() - start)
  }
}
main()
