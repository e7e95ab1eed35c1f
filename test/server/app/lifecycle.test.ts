import { describe, expect, it } from "vitest"
import { Closed, createLifecycle, type Lifecycle } from "../../../server/app/lifecycle.ts"

const said: string[] = []
/** Owns three resources that record their calls; the second one fails on request. */
function ownThree({ own }: Lifecycle, failing: { start?: true; stop?: true } = {}): void {
  said.length = 0
  for (const name of ["first", "second", "third"]) {
    const act = (what: "start" | "stop") => async () => {
      said.push(`${what} ${name}`)
      if (name === "second" && failing[what]) throw new Error(`${what} failed`)
    }
    own(name, { start: act("start"), stop: act("stop") })
  }
}
const stops = ["stop third", "stop second", "stop first"]

describe("the lifecycle", () => {
  it("starts resources in order and stops them in reverse, once", async () => {
    const lifecycle = createLifecycle()
    ownThree(lifecycle)
    await lifecycle.start()
    await Promise.all([lifecycle.close(), lifecycle.close()])
    await lifecycle.close()
    expect(said).toEqual(["start first", "start second", "start third", ...stops])
  })

  it("releases every resource when one does not start, and starts no later one", async () => {
    const lifecycle = createLifecycle()
    ownThree(lifecycle, { start: true })
    await expect(lifecycle.start()).rejects.toThrow("start failed")
    await lifecycle.close()
    expect(said).toEqual(["start first", "start second", ...stops])
  })

  it("releases the others when one does not stop, and then reports the failure", async () => {
    const lifecycle = createLifecycle()
    ownThree(lifecycle, { stop: true })
    await expect(lifecycle.close()).rejects.toThrow("stop failed")
    expect(said).toEqual(stops)
  })

  it("ends a start under way when it is closed, after the resource that is starting", async () => {
    const lifecycle = createLifecycle()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    lifecycle.own("held", { start: () => held, stop: () => said.push("stop held") })
    ownThree(lifecycle)
    const starting = lifecycle.start()
    const closing = lifecycle.close()
    release()
    await expect(starting).rejects.toThrow(Closed)
    await closing
    expect(said).toEqual([...stops, "stop held"])
  })
})
