package lib

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"pithings/gateway/script/internal/py"
)

// newMachine returns one for a call that may take so long.
func newMachine(t testing.TB, limit time.Duration) *py.Machine {
	m := &py.Machine{Limits: py.Limits{Steps: 1 << 30, Memory: 1 << 30, Depth: 100, Time: limit}}
	m.Start(context.Background(), 0)
	t.Cleanup(m.End)
	return m
}

// Character by character a text has the same matches as at once, also where what is before a
// match counts.
func TestLongTextsMatchAsShortOnes(t *testing.T) {
	m := newMachine(t, time.Hour)
	rnd := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "b", "ab", " ", "\n", "é", "日", "1", "\xff"}
	for _, source := range []string{
		`a`, `a+`, `a*`, `(a)(b)?`, `\bab\b`, `\b`, `\B`, `^a`, `b$`, `(?:^| )(\w+)`, `a|ab`, `(a|ab)(b|)`, `[^a\n]+`,
		`(?P<x>a)(?P<y>[b1]*)`, `.`, `.*`, `.*?`, `é`, `日|é`, `\d`, `ab`, `x`, `(a*)*`, `(?:a+)+$`, `\Aa`, `\Z`, ``,
	} {
		for _, flags := range []int{0, flagMultiline, flagIgnoreCase, flagDotAll} {
			p := compile(m, py.Str(source), flags)
			for range 50 {
				var b strings.Builder
				for range rnd.IntN(30) {
					b.WriteString(alphabet[rnd.IntN(len(alphabet))])
				}
				text := b.String()
				for _, most := range []int{0, 1, 3} {
					want := p.search.FindAllStringSubmatchIndex(text, map[bool]int{true: -1, false: most}[most == 0])
					var got [][]int
					for _, x := range p.slowly(m, text, most) {
						got = append(got, x.at)
					}
					if !reflect.DeepEqual(got, want) {
						t.Fatalf("%q in %q, at most %d:\n got %v\nwant %v", source, text, most, got, want)
					}
				}
			}
		}
	}
}

// The text of a match that takes long is read by parts, each of which may be the last.
func TestLongMatchEndsAtTheLimitOfTime(t *testing.T) {
	m := newMachine(t, 2*time.Millisecond)
	p := compile(m, py.Str(`(?:a|aa)+$`), 0)
	text := strings.Repeat("a", 10<<20) + "b"
	began := time.Now()
	stop := stopped(func() { p.find(m, p.search, text) })
	var s *py.Stop
	if !errors.As(stop, &s) || s.Reason != py.StopTime {
		t.Errorf("%v after %v, want the limit of time", stop, time.Since(began))
	}
}

// stopped returns what ended do.
func stopped(do func()) (err error) {
	defer func() {
		if s, ok := recover().(*py.Stop); ok {
			err = s
		}
	}()
	do()
	return nil
}

// A text without what every match begins with is not read character by character.
func BenchmarkLongText(b *testing.B) {
	m := newMachine(b, time.Hour)
	for _, of := range []struct{ name, source string }{{"prefix", `ERROR (\d+)`}, {"none", `(\d+) ERROR`}} {
		p := compile(m, py.Str(of.source), 0)
		text := strings.Repeat("all is well 12 ", 2000)
		b.Run(of.name, func(b *testing.B) {
			for b.Loop() {
				if p.first(m, p.search, text) != nil {
					b.Fatal("found")
				}
			}
		})
		b.Run(of.name+"/regexp", func(b *testing.B) {
			for b.Loop() {
				if p.search.FindStringSubmatchIndex(text) != nil {
					b.Fatal("found")
				}
			}
		})
	}
}
