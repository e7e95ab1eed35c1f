import { expect, it } from "vitest"
import { createFailureAlarm } from "../../../server/settlement/failures.ts"

it("the failure alarm logs once that many settlements fail and once that few do", () => {
  const logged: unknown[] = []
  const note = (fields: object, message: string) => void logged.push([message, fields])
  const report = createFailureAlarm("eip155:1", { debug: note, info: note, warn: note, error: note })
  let payments = 0
  const alarm = (failed: boolean) => report(`key-${++payments}`, failed)
  for (let outcome = 0; outcome < 9; outcome++) alarm(true)
  for (let outcome = 0; outcome < 50; outcome++) alarm(false)
  // The same payment reported again.
  for (let look = 0; look < 20; look++) report("key-1", true)
  expect(logged).toEqual([])
  for (let outcome = 0; outcome < 3; outcome++) alarm(true)
  expect(logged).toEqual([["many settlements fail", { network: "eip155:1", failures: 10, of: 60 }]])
  for (let outcome = 0; outcome < 200; outcome++) alarm(false)
  expect(logged).toHaveLength(2)
  expect(logged[1]).toMatchObject(["few settlements fail again", { failures: 9, of: 100 }])
})
