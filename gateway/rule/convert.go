package rule

import (
	"fmt"

	"pithings/gateway/script"
)

// toScript returns what a script sees of a value of Go, in the order of its keys.
func toScript(v any) (script.Value, error) {
	switch v := v.(type) {
	case *Dict:
		d := script.NewDictSize(len(*v))
		for _, e := range *v {
			item, err := toScript(e.Value)
			if err != nil {
				return nil, err
			}
			d.SetStr(e.Key, item)
		}
		return d, nil
	case tuple:
		items, err := toScripts(v)
		return script.NewTuple(items...), err
	case []any:
		items, err := toScripts(v)
		return script.NewList(items...), err
	}
	return script.FromGo(v)
}

func toScripts(list []any) (items []script.Value, err error) {
	for _, v := range list {
		item, err := toScript(v)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// The arguments of functions of the host; nil is one that was left out.

func text(v script.Value, what string) (string, error) {
	switch s := v.(type) {
	case script.Str:
		return string(s), nil
	case script.Bytes:
		return string(s), nil
	}
	return "", script.Exception("TypeError", fmt.Sprintf("%s must be a str, not %s", what, script.TypeName(v)))
}

func number(v script.Value, what string, def float64) (float64, error) {
	switch n := v.(type) {
	case nil:
		return def, nil
	case script.Int:
		return float64(n), nil
	case script.Float:
		return float64(n), nil
	}
	if v == script.None {
		return def, nil
	}
	return 0, script.Exception("TypeError", fmt.Sprintf("%s must be a number, not %s", what, script.TypeName(v)))
}

func flag(v script.Value, what string) (bool, error) {
	switch b := v.(type) {
	case nil:
		return false, nil
	case script.Bool:
		return bool(b), nil
	case script.Int:
		return b != 0, nil
	}
	return false, script.Exception("TypeError", fmt.Sprintf("%s must be True or False, not %s", what, script.TypeName(v)))
}

// given returns nil for None.
func given(v script.Value) script.Value {
	if v == script.None {
		return nil
	}
	return v
}

// items goes through a dict with texts as keys.
func items(d *script.Dict, each func(key string, v script.Value) error) error {
	for i := 0; ; {
		k, v, next := d.At(i)
		if k == nil {
			return nil
		}
		i = next
		name, err := text(k, "a name")
		if err != nil {
			return err
		}
		if err := each(name, v); err != nil {
			return err
		}
	}
}
