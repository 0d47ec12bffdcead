package shadow

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pithings/awsiot/internal/jsonvalue"
	"pithings/conf"
)

// Keys are the settings that there are, named as in "camera.interval".
type Keys interface {
	// Key returns from where a setting may be changed. ok is false if there is none of that
	// name; whether it is a group of settings is then for Group to say.
	Key(key string) (change conf.Change, ok bool)
	// Group reports whether settings have names that begin with key and a dot.
	Group(key string) bool
	// Check returns why a setting cannot have a value, or nil.
	Check(key string, value any) error
}

// Why a desired value is rejected, whatever it is.
var (
	ErrUnknownKey = errors.New("there is no setting of this name")
	ErrLocal      = errors.New("it can be changed on the machine only")
)

// Lay returns the settings that a desired state lays over those of a file, and why the rest of
// it is rejected, by key. Where a value is rejected the one in saved stays, the overlay that
// was in effect before; a setting that is not desired returns to the file. saved is not
// changed.
func Lay(keys Keys, saved, desired map[string]any) (overlay map[string]any, rejected map[string]string) {
	l := layer{keys: keys, rejected: map[string]string{}}
	return l.lay("", saved, desired), l.rejected
}

type layer struct {
	keys     Keys
	rejected map[string]string
}

func (l *layer) lay(prefix string, saved, desired map[string]any) map[string]any {
	overlay := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(desired)) {
		key, v := prefix+name, desired[name]
		err := l.check(name, key, v)
		group, isObject := v.(map[string]any)
		switch {
		case err == errGroup && isObject:
			before, _ := saved[name].(map[string]any)
			if inner := l.lay(key+".", before, group); len(inner) > 0 {
				overlay[name] = inner
			}
		case err == errGroup:
			l.rejected[key] = fmt.Sprintf("it is a group of settings: give an object, and not %s", short(string(jsonvalue.Encode(v))))
			keep(overlay, saved, name)
		case err != nil:
			l.rejected[key] = err.Error()
			keep(overlay, saved, name)
		default:
			overlay[name] = clone(v)
		}
	}
	return overlay
}

// errGroup says that a key is a group.
var errGroup = errors.New("a group")

func (l *layer) check(name, key string, v any) error {
	change, ok := l.keys.Key(key)
	switch {
	case strings.Contains(name, "."): // another spelling of a key in a group would be a second one
		return ErrUnknownKey
	case !ok && l.keys.Group(key):
		return errGroup
	case !ok:
		return ErrUnknownKey
	case change != conf.Afar:
		return ErrLocal
	}
	return l.keys.Check(key, v)
}

func keep(overlay, saved map[string]any, name string) {
	if v, ok := saved[name]; ok {
		overlay[name] = clone(v)
	}
}
