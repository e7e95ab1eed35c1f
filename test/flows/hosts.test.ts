import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import express from "express"
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts"
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest"
import { gate } from "../../server/adapters/express.ts"
import { browserBundle } from "../support/browser-bundle.ts"
import { runFile } from "../support/command.ts"
import { freePort } from "../support/free-port.ts"
import { eventually, openService, type TestService } from "../support/service.ts"

let service: TestService
beforeAll(async () => {
  service = await openService()
  service.app.post("/echo", gate(service.issuer, "movies:read"), express.text(), (req, res) => {
    res.json(req.body)
  })
})
afterAll(() => service.close())

async function order() {
  const key = generatePrivateKey()
  await service.chain.mint(privateKeyToAccount(key).address, 1_000_000n)
  return { issuer: service.url, key }
}
const wanted = {
  statuses: [200, 200, 200],
  bodies: ['{"id":"7"}', '{"id":"7"}', '"a body"'],
  verdicts: ["pass", "refuse"],
  price: 402,
  spent: "0.01",
}

/** One worker on a port of this machine, which may call this machine. */
const configuration = (port: number) => `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main),
    (name = "internet", network = (allow = ["local"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2024-01-01",
);
`

describe("the client and the verifier", () => {
  it("buy, call and check in workerd, which refuses members of fetch", async () => {
    const folder = await mkdtemp(join(tmpdir(), "workerd-"))
    const port = await freePort()
    await writeFile(join(folder, "worker.js"), await browserBundle("test/support/worker-host.ts"))
    await writeFile(join(folder, "config.capnp"), configuration(port))
    const { default: program } = createRequire(import.meta.url)("workerd") as { default: string }
    const running = spawn(program, ["serve", join(folder, "config.capnp")], { stdio: "ignore" })
    onTestFinished(async () => {
      running.kill()
      if (running.exitCode === null) await once(running, "exit")
      await rm(folder, { recursive: true, force: true })
    })
    const body = JSON.stringify(await order())
    const answer = await eventually(
      () => fetch(`http://127.0.0.1:${port}/`, { method: "POST", body }).catch(() => undefined),
      (found) => found !== undefined,
    )
    expect(await answer?.json()).toEqual(wanted)
  }, 60_000)

  it("buy, call and check in a host without streams, signals and optional members of fetch", async () => {
    const file = new URL("../support/stripped-host.ts", import.meta.url)
    const ended = await runFile(file, [JSON.stringify(await order())]).ended
    expect(ended).toMatchObject({ code: 0, stderr: "" })
    expect(JSON.parse(ended.stdout)).toEqual(wanted)
  }, 60_000)
})
