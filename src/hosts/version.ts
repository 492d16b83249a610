/** The version of this package. Written down rather than read at run time: a bundle has no package.json beside it. */
export const VERSION = '0.1.0'
