package suggest

import (
	"fmt"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"motion", "camera", "screen", "environment"}
	for _, tc := range []struct{ name, want string }{
		{"motoin", "motion"}, // two neighbours swapped
		{"CAMERA", "camera"}, // capitals
		{"scren", "screen"},  // a letter left out
		{"enviroment", "environment"},
		{"relay", ""}, // another word
		{strings.Repeat("x", 200), ""},
		{"", ""},
	} {
		if got := Nearest(tc.name, known); got != tc.want {
			t.Errorf("%q: %q, want %q", tc.name, got, tc.want)
		}
	}
}

func TestFrom(t *testing.T) {
	var many []string
	for i := range 30 {
		many = append(many, fmt.Sprintf("name%d", i))
	}
	for _, tc := range []struct {
		name  string
		known []string
		want  string
	}{
		{"motoin", []string{"motion"}, `; did you mean "motion"?`},
		{"relay", []string{"motion", "camera"}, "; known: motion, camera"},
		{"relay", nil, ""},
		{"relay", many, "; known: " + strings.Join(many[:20], ", ") + ", …"},
	} {
		if got := From(tc.name, tc.known); got != tc.want {
			t.Errorf("%q of %d: %q, want %q", tc.name, len(tc.known), got, tc.want)
		}
	}
}
