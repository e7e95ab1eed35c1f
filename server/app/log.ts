/** Writes structured logs to stderr, one JSON object a line; stdout is for the results of commands. */
import pino from "pino"
import type { Logger } from "../ports/runtime.ts"

/** As pino numbers its levels. */
const errorLevel = 50

/** Library errors carry URLs and request bodies in their messages and causes: only the name of a cause is written. */
function describe(error: unknown, withStack: boolean): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error }
  const cause = error.cause instanceof Error ? error.cause.name : undefined
  const frames = withStack ? error.stack?.split("\n").filter((line) => /^\s+at /.test(line)) : undefined
  return {
    type: error.name,
    message: error.message.slice(0, 300),
    ...(cause !== undefined && { cause }),
    ...(frames !== undefined && { stack: frames.slice(0, 8).map(withoutFolder) }),
  }
}

/** Stack lines such as `at work (evm.ts:12:3)`: the folders of the installation stay private. */
const withoutFolder = (frame: string): string => frame.trim().replace(/(?:file:\/\/)?(?:[^\s()]*\/)+/g, "")

export function createLogger(
  level: string,
  destination: pino.DestinationStream = pino.destination({ fd: 2, sync: true }),
): Logger {
  const hooks: pino.LoggerOptions["hooks"] = {
    logMethod([fields, ...rest], method, severity) {
      method.apply(this, [described(fields, severity >= errorLevel), ...rest])
    },
  }
  return pino({ level, base: null, hooks, serializers: { err: (described) => described } }, destination)
}

/** A warning is about the world outside, so its stack would only hide its sentence. */
const described = (fields: unknown, withStack: boolean): unknown =>
  typeof fields === "object" && fields !== null && "err" in fields
    ? { ...fields, err: describe(fields.err, withStack) }
    : fields
