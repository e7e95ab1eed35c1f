/** Requests to the admin API of a service in this process. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import type { ConfigInput } from "../../server/config/config.ts"
import { adminHandler } from "../../server/index.ts"
import type { TestService } from "./service.ts"

const roles = ["read", "operate", "refund"] as const
export type Role = (typeof roles)[number]

/** A token of each role, which also is its name, with files in a folder. */
export const adminIn = (folder: string): NonNullable<ConfigInput["admin"]> => ({
  tokens: roles.map((role) => ({ name: role, role, file: join(folder, `${role}.token`) })),
})

export const tokenOf = async (folder: string, role: Role): Promise<string> =>
  (await readFile(join(folder, `${role}.token`), "utf8")).trim()

// biome-ignore lint/suspicious/noExplicitAny: bodies are looked into freely in tests
export type AdminAnswer = { status: number; headers: Headers; body: any }

/** Asks as a program with a token of the role does; `init` replaces parts of the request. */
export async function askAdmin(
  { issuer }: Pick<TestService, "issuer">,
  path: string,
  { role = "operate", folder, ...init }: RequestInit & { role?: Role; folder: string },
): Promise<AdminAnswer> {
  const headers = new Headers({
    host: "127.0.0.1:8403",
    authorization: `Bearer ${await tokenOf(folder, role)}`,
    ...(init.method === "POST" && { "content-type": "application/json" }),
  })
  for (const [name, value] of new Headers(init.headers)) headers.set(name, value)
  const response = await adminHandler(issuer)(
    new Request(`http://127.0.0.1:8403${path}`, { ...init, headers }),
  )
  const text = await response.text()
  const isJson = response.headers.get("content-type") === "application/json"
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
}
