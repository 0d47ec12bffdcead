package guest

import (
	"fmt"
	"strings"
)

// Numbered returns the n-th line of those that are published while the power is cut.
// Half of them are short; the others fill a segment of an outbox soon.
func Numbered(n int) string {
	size := n * 7919 % 200
	if n%2 == 0 {
		size = n * 7919 % 20_000
	}
	return fmt.Sprintf("%d %s", n, strings.Repeat(string(rune('a'+n%26)), size))
}
