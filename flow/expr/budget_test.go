package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// heavy is a scope with one event of 120 KB, as the network may send it.
var heavy = func() Variables {
	wide := make([]any, 200)
	for i := range wide {
		wide[i] = map[string]any{"x": float64(i), "s": strings.Repeat("b", 100)}
	}
	return Variables{
		"event": map[string]any{"long": strings.Repeat("a", 60<<10), "half": strings.Repeat("é", 15<<10), "wide": wide},
		"a":     strings.Repeat("a", 30<<10),
	}
}()

// allocated returns what f allocates, in bytes.
func allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// mostAllocated is what one evaluation may allocate, in bytes: what it makes, once more
// while it is made, and what JSON takes for text that has to be escaped.
const mostAllocated = 8 * MaxBytes

// TestWhatIsMadeIsCounted: one event of 120 KB and a list of it took 2.5 GB.
func TestWhatIsMadeIsCounted(t *testing.T) {
	// full repeats an item as often as the longest source has it.
	full := func(before, item, after string) string {
		return before + strings.Repeat(item+", ", (MaxSource-len(before)-len(after)-len(item))/(len(item)+2)) + item + after
	}
	for _, src := range []string{
		full(`["", `, `event`, `]`),
		full(`(string)["", `, `event`, `]`),
		full(`"" + [`, `event.wide`, `]`),
		full(`[`, `event.long`, `]`),
		full(`[`, `[event.wide[3], event.wide]`, `]`),
		`event.wide[event + '']`,
		`macro(` + strings.Repeat("${event.half}", 1000) + `)`,
		full(`[`, `(event.half + 'x').length()`, `]`),
		full(`[`, `event.half.toUpperCase().length()`, `]`),
		full(`[`, `a.concat(a).length()`, `]`),
		full(`[`, `a.replace('a', 'aa').length()`, `]`),
		full(`[`, `event.wide.toString().length()`, `]`),
		full(`[`, `((string)event.wide).length()`, `]`),
		full(`[`, `macro(${a}b).length()`, `]`),
		`event.wide[a.concat(a) == s]`,
		`event.wide[event.half.split('é').size() == s]`,
	} {
		e, err := Parse(src)
		if err != nil {
			t.Fatalf("%.60s: %v", src, err)
		}
		var v any
		n := allocated(func() { v, err = e.Eval(heavy) })
		if !errors.Is(err, ErrTooMuch) {
			t.Errorf("%.60s: %T, %v", src, v, err)
		}
		if n > mostAllocated {
			t.Errorf("%.60s: %d bytes allocated, at most %d", src, n, mostAllocated)
		}
	}
}

// What flows do stays possible.
func TestWhatFlowsMakeFits(t *testing.T) {
	for src, want := range map[string]string{
		`[event.wide[7], event.wide[x == 8].s]`:    `[{"s":"` + strings.Repeat("b", 100) + `","x":7},"` + strings.Repeat("b", 100) + `"]`,
		`event.half.substring(0, 3).toUpperCase()`: `"ÉÉÉ"`,
		`a.concat(a).length()`:                     `61440`,
		`[event, event, event].size()`:             `3`,
		`event.wide.toString().length() > 20000`:   `true`,
		`(a + 1).split('a').size()`:                `too much`,
		`'a,b,,c'.split(',')`:                      `["a","b","","c"]`,
		`'ab' + [1, 'x', null] + event.wide[0].x`:  `"ab[1,\"x\",null]0"`,
	} {
		e, err := Parse(src)
		if err != nil {
			t.Fatal(err)
		}
		v, err := e.Eval(heavy)
		got, _ := json.Marshal(v)
		if errors.Is(err, ErrTooMuch) {
			got = []byte("too much")
		}
		if string(got) != want {
			t.Errorf("%s: %s, %v", src, got, err)
		}
	}
}

// Places are those of characters, whatever they take in bytes.
func TestPart(t *testing.T) {
	for _, s := range []string{"", "a", "aé€😀", "ééé"} {
		r := []rune(s)
		for from := int64(-1); from <= 6; from++ {
			for to := int64(-1); to <= 6; to++ {
				end := to
				if to == -1 {
					end = int64(len(r))
				}
				want, fails := "", from < 0 || from > end || end > int64(len(r))
				if !fails {
					want = string(r[from:end])
				}
				if got, err := part(s, from, to); got != want || (err != nil) != fails {
					t.Errorf("part(%q, %d, %d) = %q, %v; want %q, %v", s, from, to, got, err, want, fails)
				}
			}
		}
	}
}

// weigh never says more than JSON takes.
func TestWeighIsALowerBound(t *testing.T) {
	for _, v := range []any{nil, true, 0.5, "", "é\"", []any{}, []any{nil}, []any{1.5, "a"}, map[string]any{}, map[string]any{"a": []any{map[string]any{"b": nil}}}, heavy["event"]} {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if !Fits(v, len(b)) {
			t.Errorf("%.40s does not fit into its own %d bytes", b, len(b))
		}
	}
	if v := map[string]any{"a": strings.Repeat("a", 100)}; Fits(v, 100) {
		t.Error("108 bytes fit into 100")
	}
	deep := any(1)
	for range 2 * maxNesting {
		deep = []any{deep}
	}
	if Fits(deep, 1<<30) {
		t.Error("no bound on nesting")
	}
}

// FuzzBudget: whatever an expression does with a large event, it stays within its
// budget.
func FuzzBudget(f *testing.F) {
	seeds(f)
	for _, s := range []string{`["", event, event]`, `event.long + event.half`, `event.wide[s + a == x].s`, `a.replace('a', a)`, `macro(${event}${a})`, `event.half.toUpperCase().split('É')`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Parse(src)
		if err != nil {
			return
		}
		var v any
		n := allocated(func() { v, err = e.Eval(heavy) })
		if n > mostAllocated {
			t.Fatalf("%q allocates %d bytes", src, n)
		}
		if err == nil && !Fits(v, MaxBytes+256<<10) { // what was made, or was there
			t.Fatalf("%q makes too much", src)
		}
	})
}

func Example_budget() {
	e, _ := Parse("[" + strings.TrimSuffix(strings.Repeat("event, ", 20), ", ") + "]")
	_, err := e.Eval(heavy)
	fmt.Println(err)
	// Output: the expression does more than it may: strings and lists of more than 1048576 bytes
}
