/** `admin list|rotate`: shows the admin tokens of the configuration, and replaces one while the service runs. */
import { ConfigError } from "../config/config.ts"
import { rotateAdminToken } from "../keys/index.ts"
import { type CommandIo, onConfig, printJson } from "./with-store.ts"

export type AdminOptions = { readonly config: string; readonly name?: string }

/** Resolves with the exit code. A running service refuses the old token within 5 s. */
export const admin = (task: "list" | "rotate", { config: file, name }: AdminOptions, io: CommandIo) =>
  onConfig(file, io, async ({ admin: { tokens } }) => {
    const chosen = tokens.filter((each) => task === "list" || each.name === name)
    if (task === "rotate" && chosen.length === 0)
      throw new ConfigError([
        `admin.tokens: found no token ${JSON.stringify(name)}, wanted one of ${tokens.map((each) => each.name).join(", ")}`,
      ])
    for (const each of chosen) {
      if (task === "rotate") await rotateAdminToken(each.file)
      // The path, never the content: output ends up in logs and histories.
      printJson(io, { ...(task === "rotate" && { rotated: true }), ...each })
    }
    return 0
  })
