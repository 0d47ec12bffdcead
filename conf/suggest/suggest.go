// Package suggest finds the known name that was meant by a mistyped one.
package suggest

import (
	"fmt"
	"slices"
	"strings"
)

// From ends a message about an unknown name: with the nearest known one if
// it could be a slip, else with all that are known.
func From(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return fmt.Sprintf("; did you mean %q?", near)
	}
	if len(known) == 0 {
		return ""
	}
	const most = 20
	if len(known) > most {
		known = append(slices.Clone(known[:most]), "…")
	}
	return "; known: " + strings.Join(known, ", ")
}

// Nearest returns the known name with the fewest edits from name, or "" when
// none is near enough for a slip of the hand.
func Nearest(name string, known []string) string {
	const longest = 100 // the work is that of both lengths
	if len(name) > longest {
		return ""
	}
	name = strings.ToLower(name)
	best, fewest := "", 1+min(3, (len(name)+1)/3)
	for _, k := range known {
		if len(k) > longest {
			continue
		}
		if d := edits(name, strings.ToLower(k)); d < fewest {
			best, fewest = k, d
		}
	}
	return best
}

// edits counts the letters to insert, delete, replace or swap with their
// neighbour to turn a into b (optimal string alignment).
func edits(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			replace := last[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			row[j] = min(replace, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
