import { describe, expect, it } from "vitest"
import { createIssuer } from "../../../server/index.ts"

const start = createIssuer as (input: object, options: object) => Promise<unknown>

describe("the options of createIssuer", () => {
  it.each<[object, string]>([
    [{ loq: {} }, 'createIssuer(): loq: unknown option, did you mean "log"?'],
    [{ price: {} }, 'createIssuer(): price: unknown option, did you mean "prices"?'],
    [{ worker: { leaseSecond: 1 } }, 'worker.leaseSecond: unknown option, did you mean "leaseSeconds"?'],
    [{ waits: { atonce: 1 } }, 'waits.atonce: unknown option, did you mean "atOnce"?'],
    [{ somethingElse: 1 }, "somethingElse: unknown option"],
  ])("are refused when unknown, with the nearest name: %j", async (options, sentence) => {
    await expect(start({}, options)).rejects.toThrow(sentence)
  })
})
