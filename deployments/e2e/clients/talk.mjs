// How these scripts talk with the test that starts them: one JSON document a line.
// The test says first whom to talk to; a script asks for what only a person in a
// browser can do, and says at the end what it has learned.
import { createInterface } from 'node:readline'

const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

async function hear() {
  const { value, done } = await input.next()
  if (done) throw new Error('the test has gone')
  return JSON.parse(value)
}

const say = (what) => process.stdout.write(JSON.stringify(what) + '\n')

/** settings are {issuer, client_id, client_secret, redirect_uri, resource}. */
export const settings = await hear()

/** signIn has a person open an authorization request; the answer is the redirect to the application. */
export async function signIn(url) {
  say({ open: String(url) })
  return new URL(await hear())
}

/** approve has a person open a device's address and allow what it shows. */
export async function approve(url) {
  say({ approve: String(url) })
  await hear()
}

/** done ends the conversation. */
export function done(result) {
  say({ done: result })
  process.stdin.destroy()
}

/** refused is the OAuth error code that a promise fails with. */
export async function refused(promise) {
  try {
    await promise
  } catch (err) {
    if (err.error) return err.error
    throw err
  }
  throw new Error('it was not refused')
}
