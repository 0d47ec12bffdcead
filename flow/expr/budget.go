package expr

import "fmt"

// maxNesting is how deep a value may be nested, as deep as encoding/json reads.
const maxNesting = 10_000

// weigh subtracts from left the least number of bytes that v takes as JSON, and returns
// false as soon as that is below 0: what an expression puts together from one event of
// 120 KB may be gigabytes as text, so it is weighed before it is written.
func weigh(v any, left *int, depth int) bool {
	if depth > maxNesting {
		return false
	}
	switch v := v.(type) {
	case string:
		*left -= len(v) + 2
	case []any:
		*left -= 1 + max(1, len(v)) // brackets and commas
		for _, item := range v {
			if *left < 0 || !weigh(item, left, depth+1) {
				return false
			}
		}
	case map[string]any:
		*left -= 2
		for key, item := range v {
			*left -= len(key) + 4 // quotes, colon and comma
			if *left < 0 || !weigh(item, left, depth+1) {
				return false
			}
		}
	default:
		*left--
	}
	return *left >= 0
}

// Fits reports whether v may take no more than so many bytes as JSON.
func Fits(v any, most int) bool { return weigh(v, &most, 0) }

// charge counts what the evaluation makes: a string, or a list with all that is in it,
// since that is written out when the result becomes a payload.
func (ev *evaluation) charge(v any) error {
	if !weigh(v, &ev.bytes, 0) {
		return ev.heavy()
	}
	return nil
}

func (ev *evaluation) heavy() error {
	return fmt.Errorf("%w: strings and lists of more than %d bytes", ErrTooMuch, MaxBytes)
}

// join makes a string of values.
func (ev *evaluation) join(values ...any) (string, error) {
	var b []byte
	for _, v := range values {
		s, err := text(v)
		if err != nil {
			return "", err
		}
		if len(b)+len(s) > MaxResult {
			return "", tooLong()
		}
		b = append(b, s...)
	}
	return ev.made(string(b))
}

// made counts a string that was made within MaxResult.
func (ev *evaluation) made(s string) (string, error) {
	if len(s) > MaxResult {
		return "", tooLong()
	}
	return s, ev.charge(s)
}
