/** Run from its sources: the command is on nobody's PATH then, npm starts it. */
export const IN_A_CLONE: boolean = import.meta.url.endsWith('.ts')
