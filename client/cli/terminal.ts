/** The terminal a command runs in. Questions and progress go to stderr: stdout is the answer's. */
import { CommandError } from "./failures.ts"

/** `process` fits. */
export type Streams = Pick<NodeJS.Process, "env" | "stdin" | "stdout" | "stderr">

export type Terminal = Streams & {
  /** Somebody is there who can be asked. */
  readonly isAttended: boolean
  /** A line for whoever watches. */
  say(line: string): void
  /** A line of the answer. */
  printJson(value: object): void
  /** Shows what goes on now, where somebody watches. */
  progress(text: string): void
  confirm(question: string): Promise<boolean>
  /** What is typed is not shown. */
  askSecret(question: string): Promise<string>
  /** Takes the progress away. */
  close(): void
}

export async function createTerminal({ env, stdin, stdout, stderr }: Streams): Promise<Terminal> {
  // On a terminal that says it has no columns the spinner would never come to an end of its lines.
  const isWide = stderr.isTTY && stderr.columns > 0
  const { default: ora } = isWide ? await import("ora") : { default: undefined }
  // It would otherwise swallow Ctrl-C, and what is typed into a question.
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
