/** Starts a private chain that imitates a testnet: the same chain id, USDC address and EIP-712 domain. */
import type { ChildProcessByStdio } from "node:child_process"
import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { Readable } from "node:stream"
import { setTimeout as delay } from "node:timers/promises"
import type { Address, Hex } from "viem"
import { numberToHex, parseEther, parseUnits } from "viem"
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts"
import { aggregators } from "../../../server/core/batch.ts"
import { settlerCode } from "../../../server/core/settler.ts"
import { baseSepolia } from "../../../shared/networks/base-sepolia.ts"
import { sepolia } from "../../../shared/networks/sepolia.ts"
import { multicall3 } from "../contracts/artifacts/multicall3.ts"
import { type AssetAccess, mintAsset, nameAsset, placeAsset, putCode, type Request } from "./test-asset.ts"

export type LocalAccount = { address: Address; privateKey: Hex }

/**
 * The testnets that a local chain can imitate. The USDC of both has the name "USDC" and the version "2", as
 * the test asset has.
 */
export const localNetworks = { sepolia, "base-sepolia": baseSepolia } as const

export type LocalChainOptions = {
  /** Default: Sepolia. Base Sepolia serves clients that pay only in assets of their own table. */
  network?: keyof typeof localNetworks
  /** 0 or absent: any free port. */
  port?: number
  /** Whole seconds between blocks; 0 mines each transaction at once. */
  blockTimeSeconds?: number
  accounts?: number
  /** Number of accounts whose keys the node holds and signs with for any caller; default 0. */
  nodeAccounts?: number
  /** Contracts for batches to deploy, by name; default: both. */
  aggregators?: readonly (keyof typeof aggregatorCodes)[]
}

export type LocalChain = {
  rpcUrl: string
  chainId: number
  asset: Address
  /** New random keys, each with 100 ETH and 1,000 USDC. */
  accounts: readonly LocalAccount[]
  /** Adds to the USDC balance of an address; resolves when the block is mined. */
  mint(address: Address, amount: bigint): Promise<void>
  /** Sets the ETH balance of an address; default 100. */
  fund(address: Address, wei?: bigint): Promise<void>
  request: Request
  /** Ends the node; resolves when the process has ended, also when called again. */
  stop(): Promise<void>
  /** Resolves when the node has ended for any reason. */
  ended: Promise<void>
}

/** Creation codes. */
const aggregatorCodes = { Settler: settlerCode, Multicall3: multicall3.bytecode }

type Node = ChildProcessByStdio<null, Readable, Readable>

// A named hardfork, because "latest" changes with anvil's version, while Sepolia and the contracts'
// evmVersion do not.
const hardfork = "osaka"
const startSeconds = 20
const stopSeconds = 5
const requestSeconds = 30
const defaultWei = parseEther("100")
const defaultUsdc = parseUnits("1000", 6)

export async function startLocalChain(options: LocalChainOptions = {}): Promise<LocalChain> {
  const { port = 0, blockTimeSeconds = 2, accounts: accountCount = 3, network = "sepolia" } = options
  const { nodeAccounts = 0 } = options
  requireWhole("port", port, 65_535)
  requireWhole("blockTimeSeconds", blockTimeSeconds, 86_400)
  requireWhole("accounts", accountCount, 1_000)
  requireWhole("nodeAccounts", nodeAccounts, 1_000)
  const deployed = new Set<string>(options.aggregators ?? Object.keys(aggregatorCodes))

  const { chainId, assets } = localNetworks[network]
  const asset = assets[0].address
  const node = spawnNode(port, chainId, nodeAccounts)
  const ended = new Promise<void>((resolve) => {
    node.once("close", () => resolve())
  })
  const stop = () => stopNode(node, ended)
  try {
    const rpcUrl = `http://127.0.0.1:${await listeningPort(node, port)}`
    const request: Request = (method, params = []) => requestJson(rpcUrl, method, params)
    const access = { chainId, asset, request }
    const accounts = Array.from({ length: accountCount }, newAccount)
    await request("anvil_setLoggingEnabled", [false])
    await placeAsset(access)
    for (const { name, address } of aggregators)
      if (deployed.has(name)) await putCode(request, address, aggregatorCodes[name])
    await fundAccounts(access, accounts)
    await startMining(request, blockTimeSeconds)
    return {
      rpcUrl,
      chainId,
      asset,
      accounts,
      mint: async (address, amount) => waitForSuccess(request, await mintAsset(access, address, amount)),
      fund: (address, wei = defaultWei) => setBalance(request, address, wei),
      request,
      stop,
      ended,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function requireWhole(name: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= most) return
  throw new RangeError(`${name} must be a whole number from 0 to ${most}, not ${value}`)
}

function newAccount(): LocalAccount {
  const privateKey = generatePrivateKey()
  return { address: privateKeyToAddress(privateKey), privateKey }
}

// Nothing is mined before startMining, so all of them share one block.
async function fundAccounts(access: AssetAccess, accounts: readonly LocalAccount[]): Promise<void> {
  const { request } = access
  const hashes = await Promise.all([
    nameAsset(access),
    ...accounts.map(async ({ address }) => {
      await setBalance(request, address, defaultWei)
      return mintAsset(access, address, defaultUsdc)
    }),
  ])
  await request("evm_mine")
  await Promise.all(hashes.map((hash) => waitForSuccess(request, hash)))
}

async function startMining(request: Request, blockTimeSeconds: number): Promise<void> {
  if (blockTimeSeconds === 0) await request("evm_setAutomine", [true])
  else await request("evm_setIntervalMining", [blockTimeSeconds])
}

async function setBalance(request: Request, address: Address, wei: bigint): Promise<void> {
  await request("anvil_setBalance", [address, numberToHex(wei)])
}

async function waitForSuccess(request: Request, hash: Hex): Promise<void> {
  const deadline = performance.now() + requestSeconds * 1000
  for (;;) {
    const receipt = await request("eth_getTransactionReceipt", [hash])
    if (typeof receipt === "object" && receipt !== null && "status" in receipt) {
      if (receipt.status === "0x1") return
      throw new Error(`transaction ${hash} failed on the local chain`)
    }
    if (performance.now() > deadline) {
      throw new Error(`transaction ${hash} was not mined in ${requestSeconds} s: is mining switched off?`)
    }
    await delay(25)
  }
}

async function requestJson(rpcUrl: string, method: string, params: readonly unknown[]): Promise<unknown> {
  const response = await fetch(rpcUrl, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    signal: AbortSignal.timeout(requestSeconds * 1000),
  })
  const answer = (await response.json()) as { result?: unknown; error?: { message: string } }
  if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`)
  return answer.result
}

function spawnNode(port: number, chainId: number, accounts: number): Node {
  const flags = ["--host", "127.0.0.1", "--port", String(port), "--chain-id", String(chainId)]
  // Without dev accounts: their keys are public, and a signature made here is valid on the testnet.
  flags.push("--hardfork", hardfork, "--accounts", String(accounts), "--no-mining", "--no-request-size-limit")
  if (accounts > 0) flags.push("--mnemonic-random")
  // A chain that runs for long keeps its states in memory and writes none to the disk.
  flags.push("--prune-history", "1000", "--color", "never")
  const { command, first } = anvilCommand()
  const node = spawn(command, [...first, ...flags], { stdio: ["ignore", "pipe", "pipe"] })
  endTogether(node)
  return node
}

/** The platform's binary itself: a SIGKILL to the package's wrapper would leave the node running. */
function anvilCommand(): { command: string; first: string[] } {
  const manifest = resolveFrom(import.meta.url, "@foundry-rs/anvil/package.json")
  if (manifest === undefined) {
    throw new Error("the local chain needs the package @foundry-rs/anvil: run npm install")
  }
  const architecture = process.arch === "x64" ? "amd64" : process.arch
  const file = process.platform === "win32" ? "anvil.exe" : "anvil"
  const binary = resolveFrom(manifest, `@foundry-rs/anvil-${process.platform}-${architecture}/bin/${file}`)
  if (binary !== undefined) return { command: binary, first: [] }
  return { command: process.execPath, first: [join(dirname(manifest), "bin.mjs")] }
}

function resolveFrom(from: string, specifier: string): string | undefined {
  try {
    return createRequire(from).resolve(specifier)
  } catch {
    return undefined
  }
}

/** Anvil prints its port; a request to the port instead might reach another node. */
function listeningPort(node: Node, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let output = ""
    let errors = ""
    const timer = setTimeout(() => fail(`did not listen within ${startSeconds} s`), startSeconds * 1000)
    const fail = (what: string) => {
      clearTimeout(timer)
      const taken = /address (already )?in use/i.test(errors)
      const why = taken ? `port ${port} is taken` : `anvil ${what}`
      reject(new Error(`the local chain did not start: ${why}${taken ? "" : tail(errors)}`))
    }
    node.once("error", (error) => fail(`could not be run (${error.message})`))
    node.once("close", (code, signal) => fail(`ended with ${signal ?? code}`))
    node.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-2000)
    })
    node.stdout.setEncoding("utf8").on("data", function listen(text: string) {
      output += text
      const found = /Listening on \S+:(\d+)\s/.exec(output)
      if (found === null) return
      clearTimeout(timer)
      // The stream is read further and discarded: a full pipe would stop the node.
      node.stdout.off("data", listen).resume()
      resolve(Number(found[1]))
    })
  })
}

function tail(errors: string): string {
  return errors.trim() === "" ? "" : `: ${errors.trim()}`
}

async function stopNode(node: Node, ended: Promise<void>): Promise<void> {
  node.kill("SIGTERM")
  const force = setTimeout(() => node.kill("SIGKILL"), stopSeconds * 1000)
  await ended
  clearTimeout(force)
}

const running = new Set<Node>()
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const

/** One set of handlers for all nodes: any end of this process except SIGKILL ends them first. */
function endTogether(node: Node): void {
  if (running.size === 0) {
    process.on("exit", endAll)
    // The handler runs first, so that it still counts once-listeners, which remove themselves when they run.
    for (const signal of signals) process.prependListener(signal, endBySignal)
  }
  running.add(node)
  node.once("close", () => forget(node))
}

function forget(node: Node): void {
  running.delete(node)
  if (running.size > 0) return
  process.off("exit", endAll)
  for (const signal of signals) process.off(signal, endBySignal)
}

function endAll(): void {
  for (const node of running) node.kill("SIGTERM")
}

function endBySignal(signal: NodeJS.Signals): void {
  endAll()
  process.off(signal, endBySignal)
  // The handler replaced the default action, which ends the process; any other listener decides instead.
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}
