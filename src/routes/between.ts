/** Work that must not meet a batch on its way through the stages, such as changing their minds: it waits until there is none. */
export class Between {
  readonly #works: (() => void)[] = []

  /** Resolves when the work is done. */
  add(work: () => void): Promise<void> {
    return new Promise((resolve) => {
      this.#works.push(() => {
        work()
        resolve()
      })
    })
  }

  /** One that fails (a full disk) is tried again the next time. */
  run(): void {
    for (let work = this.#works[0]; work !== undefined; work = this.#works[0]) {
      work()
      this.#works.shift()
    }
  }
}
