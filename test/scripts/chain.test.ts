import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createConnection, createServer } from "node:net"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { hashDomain } from "viem"
import { privateKeyToAddress } from "viem/accounts"
import { afterEach, expect, test } from "vitest"
import { startLocalChain } from "../support/chain/local-chain.ts"

const entry = fileURLToPath(new URL("../../scripts/chain.ts", import.meta.url))
const children: ChildProcess[] = []

afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGTERM")
      await once(child, "exit")
    }
  }
})

function run(...options: string[]) {
  return start(entry, ...options)
}

function start(...options: string[]) {
  const child = spawn(process.execPath, ["--import", "tsx", ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  })
  children.push(child)
  const closed = once(child, "close").then(([code]) => code as number | null)
  return { child, closed, stderr: text(child.stderr) }
}

/** The first line, and the whole output at the end. */
function linesOf({ child, closed }: ReturnType<typeof run>) {
  let all = ""
  let printed: (line: string) => void
  const first = new Promise<string>((resolve) => {
    printed = resolve
  })
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    all += chunk
    if (all.includes("\n")) printed(all.slice(0, all.indexOf("\n")))
  })
  return { first, all: closed.then(() => all) }
}

async function ask(rpcUrl: string, method: string, params: unknown[] = []): Promise<unknown> {
  const response = await fetch(rpcUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  })
  return ((await response.json()) as { result: unknown }).result
}

function connects(rpcUrl: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(Number(new URL(rpcUrl).port), "127.0.0.1").resume()
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false))
    socket.once("connect", () => socket.destroy())
  })
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`the local chain prints its coordinates in one line and stops on ${signal}`, async () => {
    const running = run("--port", "0", "--block-time", "0")
    const { first, all } = linesOf(running)
    const line = await first
    const printed = JSON.parse(line)
    expect(Object.keys(printed)).toEqual(["rpcUrl", "chainId", "asset", "accounts"])
    expect(printed).toMatchObject({ chainId: 11155111, asset: "0x1c7D4B196Cb0C7B01d743Fbc6116a902379C7238" })
    for (const { address, privateKey } of printed.accounts)
      expect(privateKeyToAddress(privateKey)).toBe(address)
    expect(await ask(printed.rpcUrl, "eth_chainId")).toBe("0xaa36a7")
    expect(await ask(printed.rpcUrl, "eth_accounts")).toEqual([])

    running.child.kill(signal)
    expect(await running.closed).toBe(0)
    expect(await all).toBe(`${line}\n`)
    expect(await connects(printed.rpcUrl)).toBe(false)
    expect(await running.stderr).toContain("valid there as well. Use throw-away keys only")
  })
}

test("the local chain can have Base Sepolia's chain id and USDC", async () => {
  const running = run("--network", "base-sepolia", "--port", "0", "--block-time", "0")
  const { rpcUrl, ...printed } = JSON.parse(await linesOf(running).first)
  expect(printed).toMatchObject({ chainId: 84532, asset: "0x036CbD53842c5426634e7929541eC2318f3dCF7e" })
  expect(await ask(rpcUrl, "eth_chainId")).toBe("0x14a34")
  // The domain separator of Circle's contract there.
  const separator = hashDomain({
    domain: { name: "USDC", version: "2", chainId: printed.chainId, verifyingContract: printed.asset },
    types: {
      EIP712Domain: [
        { name: "name", type: "string" },
        { name: "version", type: "string" },
        { name: "chainId", type: "uint256" },
        { name: "verifyingContract", type: "address" },
      ],
    },
  })
  const call = { to: printed.asset, data: "0x3644e515" }
  expect(await ask(rpcUrl, "eth_call", [call, "latest"])).toBe(separator)
  running.child.kill("SIGTERM")
  expect(await running.stderr).toContain("the real Base Sepolia")
})

test("a process killed by a signal stops its local chain", async () => {
  const module = JSON.stringify(new URL("../support/chain/local-chain.ts", import.meta.url))
  const script = `import(${module}).then((m) => m.startLocalChain()).then((c) => console.log(c.rpcUrl))`
  const running = start("--eval", script)
  const rpcUrl = await linesOf(running).first
  const socket = createConnection(Number(new URL(rpcUrl).port), "127.0.0.1").resume()
  await once(socket, "connect")
  // A connection reset counts as closed too.
  socket.on("error", () => undefined)
  running.child.kill("SIGTERM")
  await running.closed
  expect(running.child.signalCode).toBe("SIGTERM")
  if (!socket.closed) await once(socket, "close")
  expect(await connects(rpcUrl)).toBe(false)
})

test("a wrong option ends the local chain with 78 and a message", async () => {
  const wrong = [
    ["--port", "x"],
    ["--port", "65536"],
    ["--block-time", "-1"],
    ["--block-time", "1.5"],
    ["--network", "mainnet"],
    ["--speed"],
  ]
  await Promise.all(
    wrong.map(async (options) => {
      const { child, closed, stderr } = run(...options)
      const output = text(child.stdout)
      expect(await closed, options.join(" ")).toBe(78)
      expect(await stderr).toContain(options[0])
      expect(await output).toBe("")
    }),
  )
})

test("a taken port is named in the error", async () => {
  const holder = createServer().listen(0, "127.0.0.1")
  await once(holder, "listening")
  const { port } = holder.address() as { port: number }
  await expect(startLocalChain({ port })).rejects.toThrow(`port ${port} is taken`)
  holder.close()
})

test("accounts start with gas and USDC and can be given more", async () => {
  const chain = await startLocalChain({ accounts: 1, blockTimeSeconds: 1 })
  try {
    const { address } = chain.accounts[0]!
    const balanceOf = `0x70a08231${address.slice(2).padStart(64, "0")}`
    const usdc = async () =>
      BigInt(String(await chain.request("eth_call", [{ to: chain.asset, data: balanceOf }])))
    const wei = async () => BigInt(String(await chain.request("eth_getBalance", [address, "latest"])))
    expect([await usdc(), await wei()]).toEqual([1_000_000_000n, 100n * 10n ** 18n])
    await Promise.all([chain.mint(address, 5n), chain.mint(address, 7n), chain.fund(address, 3n)])
    expect([await usdc(), await wei()]).toEqual([1_000_000_012n, 3n])
  } finally {
    await chain.stop()
    await chain.stop()
  }
})

test("a refused request names its method, and stop() may be called twice", async () => {
  const chain = await startLocalChain()
  await expect(chain.request("eth_nonsense")).rejects.toThrow("eth_nonsense: ")
  await Promise.all([chain.stop(), chain.stop()])
  await chain.ended
  expect(await connects(chain.rpcUrl)).toBe(false)
})
