import { Writable } from "node:stream"
import { expect, it } from "vitest"
import { createLogger } from "../../../server/app/log.ts"

function logged(level: "warn" | "error", fields: Record<string, unknown>) {
  const lines: string[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  })
  createLogger("info", sink)[level](fields, "the node is away")
  expect(lines).toHaveLength(1)
  return JSON.parse(lines[0] ?? "")
}
const err = new RangeError("no answer", { cause: new TypeError("https://node.example/SECRET") })

it("a warning names its error in one line, without a stack; an error has a short one", () => {
  const warning = logged("warn", { network: "eip155:1", err })
  expect(warning).toMatchObject({ network: "eip155:1", msg: "the node is away" })
  expect(warning.err).toEqual({ type: "RangeError", message: "no answer", cause: "TypeError" })
  const failure = logged("error", { err })
  expect(failure.err.stack.length).toBeGreaterThan(0)
  expect(failure.err.stack.length).toBeLessThanOrEqual(8)
  expect(JSON.stringify([warning, failure])).not.toMatch(/SECRET|\/work\/|node_modules/)
})
