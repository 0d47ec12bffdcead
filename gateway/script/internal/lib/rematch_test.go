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
	text := strings.Repeat("a", 10<<20) + "b" // takes longer than the limit on any machine of these years
	m := newMachine(t, 100*time.Millisecond)
	p := compile(m, py.Str(`(?:a|aa)+$`), 0)
	began := time.Now()
	stop := stopped(func() { p.first(m, p.search, text) }) // not find, which asks for the time before
	var s *py.Stop
	if !errors.As(stop, &s) || s.Reason != py.StopTime {
		t.Errorf("%v after %v, want the limit of time", stop, time.Since(began))
	}
}

// However large an expression is, others have a go after the same amount of work.
func TestBreathsAreOfTheSameSize(t *testing.T) {
	m := newMachine(t, time.Hour)
	for _, tc := range []struct {
		source string
		most   int // characters between two breaths
	}{{`a`, breath}, {`(?:a|b){40}`, breath / 40}, {`(?:[ab]{30}){30}`, breath / 900}} {
		p := compile(m, py.Str(tc.source), 0)
		c := p.reader(m, "")
		if c.every < 1 || c.every > max(1, tc.most) || c.every*p.size > max(breath, p.size) {
			t.Errorf("%s, %d instructions: a breath every %d characters, want at most %d", tc.source, p.size, c.every, tc.most)
		}
	}
	p := compile(m, py.Str(`(?:a|b){400}x`), 0)
	c := p.reader(m, strings.Repeat("a", 5*breath))
	before := c.left
	for range c.every {
		_, _, _ = c.ReadRune()
	}
	if c.left != before {
		t.Errorf("%d characters are left before a breath after %d, want %d", c.left, c.every, before)
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
