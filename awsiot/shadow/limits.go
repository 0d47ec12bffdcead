package shadow

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/quietlog"
)

// The limits of AWS IoT Core for shadows, the strictest of its documents.
// https://docs.aws.amazon.com/general/latest/gr/iot-core.html#device-shadow-limits
const (
	MaxDocument = 8 << 10 // bytes of desired and reported together, as JSON without spaces
	MaxDepth    = 5       // keys from the top of desired or reported to the innermost one
	MaxToken    = 64      // bytes of a clientToken
	MaxInFlight = 10      // requests of a thing without an answer
	MaxRate     = 20      // requests of a thing in a second
)

// maxAnswer is the largest message that is read, in bytes: the largest of the broker. An
// answer has the state three times, and a time for each value.
const maxAnswer = 128 << 10

// maxAnswerDepth bounds how deep the state of an answer may be.
const maxAnswerDepth = 32

// Names of things and shadows, as the API's reference has them: 128 and 64 characters.
var (
	thingName  = regexp.MustCompile(`^[a-zA-Z0-9:_-]{1,128}$`)
	shadowName = regexp.MustCompile(`^[$a-zA-Z0-9:_-]{1,64}$`)
)

// checkReported says why a reported state cannot be one, or returns nil.
func checkReported(state map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(state)) {
		if d := depth(state[key]); d+1 > MaxDepth {
			return fmt.Errorf("%q has values %d keys deep, at most %d are allowed: report it flatter", short(key), d+1, MaxDepth)
		}
		if nullInArray(state[key]) {
			return fmt.Errorf("%q has null in an array, which a shadow does not take: leave the entry out", short(key))
		}
		if key == "" {
			return errors.New("a key is empty: give it a name")
		}
	}
	return checkSize(state, nil)
}

// checkSize says what is too big if the two parts are larger than a document, or returns nil.
func checkSize(reported, desired map[string]any) error {
	r, d := len(jsonvalue.Encode(reported)), 0
	if desired != nil {
		d = len(jsonvalue.Encode(desired))
	}
	if r+d <= MaxDocument {
		return nil
	}
	what, part := "reported", reported
	if d > r {
		what, part = "desired", desired
	}
	key, size := largest(part)
	return fmt.Errorf("the document would have %d bytes (reported %d, desired %d), at most %d are allowed: %s.%s is the largest, with %d: make it smaller",
		r+d, r, d, MaxDocument, what, short(key), size)
}

// largest returns the key with the largest value, and its bytes.
func largest(state map[string]any) (key string, size int) {
	for _, k := range slices.Sorted(maps.Keys(state)) {
		if n := len(k) + 3 + len(jsonvalue.Encode(state[k])); n > size {
			key, size = k, n
		}
	}
	return key, size
}

// depth is how many keys a value has above its innermost one.
func depth(v any) int {
	most := 0
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			most = max(most, 1+depth(x))
		}
	case []any:
		for _, x := range v {
			most = max(most, depth(x))
		}
	}
	return most
}

func nullInArray(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			if nullInArray(x) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, func(x any) bool { return x == nil || nullInArray(x) })
	}
	return false
}

func short(s string) string { return quietlog.Short(quietlog.OneLine(s)) }
