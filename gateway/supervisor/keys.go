package supervisor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// key joins a key of an object of 2.x with a setting of T.
type key[T any] struct {
	names []string // the first is written; the others are read, too
	read  func(t *T, raw json.RawMessage) error
	write func(t *T) json.RawMessage // nil: the object has no such key
}

// text joins a key that is a text.
func text[T any](of func(t *T) *string, names ...string) key[T] {
	return key[T]{names,
		func(t *T, raw json.RawMessage) error { *of(t) = plain(raw); return nil },
		func(t *T) json.RawMessage { return rawText(*of(t)) }}
}

// count joins a key that is a whole number, or a text with one.
func count[T any](of func(t *T) *int, least, most int, names ...string) key[T] {
	return key[T]{names,
		func(t *T, raw json.RawMessage) error {
			n, err := strconv.Atoi(plain(raw))
			if err != nil || n < least || n > most {
				return fmt.Errorf("%.100s is no whole number from %d to %d", raw, least, most)
			}
			*of(t) = n
			return nil
		},
		func(t *T) json.RawMessage { return json.RawMessage(strconv.Itoa(*of(t))) }}
}

// take reads an object into t and removes what an export can write again from t alone. What
// is spelled otherwise than an export spells it stays, so that it is exported unchanged.
func take[T any](t *T, o object, keys []key[T]) error {
	for _, k := range keys {
		name, ok := k.find(o)
		if !ok {
			continue
		}
		if err := k.read(t, o[name]); err != nil {
			return fmt.Errorf("its %s: %w", name, err)
		}
		if name == k.names[0] && same(k.write(t), o[name]) {
			delete(o, name)
		}
	}
	return nil
}

// give writes t into an object that has what take left. fresh is a T without settings.
func give[T any](t *T, o object, keys []key[T], fresh func() T) {
	for _, k := range keys {
		want := k.write(t)
		name, ok := k.find(o)
		if !ok {
			name = k.names[0]
		} else if kept := fresh(); k.read(&kept, o[name]) == nil && same(k.write(&kept), want) {
			continue // as it was
		}
		if want != nil {
			o[name] = want
		} else {
			delete(o, name)
		}
	}
}

func (k key[T]) find(o object) (name string, ok bool) {
	for _, name := range k.names {
		if _, ok := o[name]; ok {
			return name, true
		}
	}
	return "", false
}

// same reports whether two values are written alike, but for blanks, and escapes in a text.
func same(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	var s, t *string
	if json.Unmarshal(a, &s) == nil && json.Unmarshal(b, &t) == nil && s != nil && t != nil {
		return *s == *t
	}
	return a != nil && b != nil && json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes()) || a == nil && b == nil
}
