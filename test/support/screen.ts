/** Prints numbered steps with timings for a person; uses colours only on a terminal. */
import pc from "picocolors"

export type Screen = {
  title(text: string): void
  /** Announces a step, runs it, and prints its duration. */
  step<T>(text: string, run: () => Promise<T>): Promise<T>
  fact(label: string, value: string): void
  good(text: string): void
  plain(text: string): void
}

export function createScreen(write: (line: string) => void, colour: boolean): Screen {
  const paint = pc.createColors(colour)
  let count = 0
  return {
    title: (text) => write(`\n${paint.bold(text)}\n`),
    async step(text, run) {
      count += 1
      write(`${paint.cyan(`${count}.`.padStart(3))} ${paint.bold(text)}`)
      const startedAt = performance.now()
      const result = await run()
      write(paint.dim(`    ${Math.round(performance.now() - startedAt)} ms\n`))
      return result
    },
    fact: (label, value) => write(`    ${paint.dim(label.padEnd(14))} ${value}`),
    good: (text) => write(`    ${paint.green("✓")} ${text}`),
    plain: (text) => write(text),
  }
}
