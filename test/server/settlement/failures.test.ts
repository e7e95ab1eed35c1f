import { expect, it } from "vitest"
import { createFailureAlarm } from "../../../server/settlement/failures.ts"

it("says once that many settlements fail, and once that they no longer do", () => {
  const said: unknown[] = []
  const note = (fields: object, message: string) => void said.push([message, fields])
  const tell = createFailureAlarm("eip155:1", { debug: note, info: note, warn: note, error: note })
  let payments = 0
  const alarm = (failed: boolean) => tell(`key-${++payments}`, failed)
  for (let outcome = 0; outcome < 9; outcome++) alarm(true)
  for (let outcome = 0; outcome < 50; outcome++) alarm(false)
  // The same payment, looked at again.
  for (let look = 0; look < 20; look++) tell("key-1", true)
  expect(said).toEqual([])
  for (let outcome = 0; outcome < 3; outcome++) alarm(true)
  expect(said).toEqual([["many settlements fail", { network: "eip155:1", failures: 10, of: 60 }]])
  for (let outcome = 0; outcome < 200; outcome++) alarm(false)
  expect(said).toHaveLength(2)
  expect(said[1]).toMatchObject(["few settlements fail again", { failures: 9, of: 100 }])
})
