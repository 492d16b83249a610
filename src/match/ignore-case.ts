/**
 * Comparison without regard to case, unit by unit: each UTF-16 unit of the pattern takes its lower and its upper case form (which can
 * be longer: `ß` takes `SS`), nothing else, so the Kelvin sign is no `k`. Characters outside the basic plane have no halves of
 * either case; the official library takes `?` for each half, and so does this.
 */
export type IgnoreCase = {
  readonly equals: (value: string) => boolean
  readonly starts: (value: string) => boolean
  readonly ends: (value: string) => boolean
}

export function ignoreCase(text: string): IgnoreCase {
  const forms = text.split('').map(formsOf)
  const single = forms.every(({ lower, upper }) => lower.length === 1 && upper.length === 1)
  const { endOf, startOf } = single ? unitWalks(forms) : textWalks(forms)
  return {
    equals: (value) => endOf(value) === value.length,
    starts: (value) => endOf(value) >= 0,
    ends: (value) => startOf(value) >= 0,
  }
}

type Forms = { readonly lower: string; readonly upper: string }
/** Where the pattern ends in the value when it begins at its start (and the other way round); -1 where it does not fit. */
type Walks = { readonly endOf: (value: string) => number; readonly startOf: (value: string) => number }

function formsOf(unit: string): Forms {
  if (/[\uD800-\uDFFF]/.test(unit)) return { lower: '?', upper: '?' }
  return { lower: unit.toLowerCase(), upper: unit.toUpperCase() }
}

/** Nearly every pattern: each form is one unit. */
function unitWalks(forms: readonly Forms[]): Walks {
  const lower = Uint16Array.from(forms, (form) => form.lower.charCodeAt(0))
  const upper = Uint16Array.from(forms, (form) => form.upper.charCodeAt(0))
  const fitsAt = (value: string, start: number): boolean => {
    for (let i = 0; i < lower.length; i++) {
      const unit = value.charCodeAt(start + i)
      if (unit !== lower[i] && unit !== upper[i]) return false
    }
    return true
  }
  return {
    endOf: (value) => (value.length >= lower.length && fitsAt(value, 0) ? lower.length : -1),
    startOf: (value) => (value.length >= lower.length && fitsAt(value, value.length - lower.length) ? value.length - lower.length : -1),
  }
}

/** No form of a unit begins or ends with its other form, so the first that fits is the only one. */
function textWalks(forms: readonly Forms[]): Walks {
  return {
    endOf: (value) => {
      let at = 0
      for (const { lower, upper } of forms) {
        if (value.startsWith(lower, at)) at += lower.length
        else if (value.startsWith(upper, at)) at += upper.length
        else return -1
      }
      return at
    },
    startOf: (value) => {
      let at = value.length
      for (const { lower, upper } of forms.toReversed()) {
        if (value.endsWith(lower, at)) at -= lower.length
        else if (value.endsWith(upper, at)) at -= upper.length
        else return -1
      }
      return at
    },
  }
}
