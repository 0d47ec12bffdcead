package expr

import (
	"reflect"
	"testing"
)

func seeds(f *testing.F) {
	for _, s := range []string{
		`devices[name == 'motionSensor'].events[name == 'StateChanged'].lastEvent.value == false`,
		`ThingsGraph.startFlow('SecurityFlow', bindings[name == 'camera'].deviceId, False, 1.1, -100)`,
		`((string)'a'+'b').substring(1)`, `macro(a (b) ${n + 1} $macro(${s}))`, `a ?? b ? c/d : $e / 2UL`, `${x} && ![1, 2.5e3, null]['k'][0]`,
	} {
		f.Add(s)
	}
}

// FuzzParse: no source panics, and what is printed reads back as it was.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Parse(src)
		if err != nil || len(e.String()) > MaxSource {
			return
		}
		again, err := Parse(e.String())
		if err != nil {
			t.Fatalf("%q prints as %q: %v", src, e, err)
		}
		if !reflect.DeepEqual(again, e) {
			t.Fatalf("%q prints as %q, which prints as %q", src, e, again)
		}
	})
}

// FuzzText is FuzzParse for text with expressions in it.
func FuzzText(f *testing.F) {
	seeds(f)
	f.Add("1) ${n} (")
	f.Fuzz(func(t *testing.T, src string) {
		e, err := ParseText(src)
		if err != nil || len(e.Text()) > MaxSource {
			return
		}
		again, err := ParseText(e.Text())
		if err != nil {
			t.Fatalf("%q prints as %q: %v", src, e.Text(), err)
		}
		if !reflect.DeepEqual(again, e) {
			t.Fatalf("%q prints as %q, which prints as %q", src, e.Text(), again.Text())
		}
	})
}

// FuzzEval: no evaluation panics, and none gives what JSON does not have.
func FuzzEval(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src string) {
		e, err := Parse(src)
		if err != nil {
			return
		}
		v, err := e.Eval(scope)
		if err != nil {
			return
		}
		if _, err := normal(v); err != nil {
			t.Fatalf("%q is %#v", src, v)
		}
		if s, ok := v.(string); ok && len(s) > MaxResult {
			t.Fatalf("%q makes %d bytes", src, len(s))
		}
	})
}
