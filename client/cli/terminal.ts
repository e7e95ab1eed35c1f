/** The terminal of a command. Questions and progress go to stderr, because stdout belongs to the answer. */
import { CommandError } from "./failures.ts"

/** `process` fits. */
export type Streams = Pick<NodeJS.Process, "env" | "stdin" | "stdout" | "stderr">

export type Terminal = Streams & {
  /** Whether a person can be asked. */
  readonly isAttended: boolean
  /** Prints a line to stderr. */
  say(line: string): void
  /** Prints a line to stdout. */
  printJson(value: object): void
  /** Shows the present activity on a terminal. */
  progress(text: string): void
  confirm(question: string): Promise<boolean>
  /** Does not show the typed text. */
  askSecret(question: string): Promise<string>
  /** Clears the progress. */
  close(): void
}

export async function createTerminal({ env, stdin, stdout, stderr }: Streams): Promise<Terminal> {
  // On a terminal without columns the spinner would loop for ever over its lines.
  const isWide = stderr.isTTY && stderr.columns > 0
  const { default: ora } = isWide ? await import("ora") : { default: undefined }
  // Otherwise it swallows Ctrl-C and the answers to questions.
  const spinner = ora?.({ stream: stderr, discardStdin: false })

  const question = async <T>(ask: (context: object) => Promise<T>): Promise<T> => {
    spinner?.stop()
    try {
      return await ask({ input: stdin, output: stderr })
    } catch (error) {
      if (error instanceof Error && error.name === "ExitPromptError")
        throw new CommandError("Stopped. Nothing was signed.", "interrupted")
      throw error
    }
  }

  return {
    env,
    stdin,
    stdout,
    stderr,
    isAttended: stdin.isTTY === true && stderr.isTTY === true,
    say(line) {
      spinner?.stop()
      stderr.write(`${line}\n`)
    },
    printJson: (value) => void stdout.write(`${JSON.stringify(value).replace(/[\x7f-\x9f]/g, escaped)}\n`),
    progress: (text) => void spinner?.start(text),
    async confirm(message) {
      const { confirm } = await import("@inquirer/prompts")
      return question((context) => confirm({ message, default: false }, context))
    },
    async askSecret(message) {
      const { password } = await import("@inquirer/prompts")
      return question((context) => password({ message }, context))
    },
    close: () => void spinner?.stop(),
  }
}

/** Controls that JSON leaves as they are, and some terminals obey. */
const escaped = (control: string): string => `\\u00${control.charCodeAt(0).toString(16)}`
