package script

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"

	"pithings/gateway/script/internal/py"
)

// The bounds of what an Exporter returns. A list that is in another one twice is there twice
// in what Go has of it, so that a small value of a script may stand for a large one.
const (
	maxExported      = 10_000  // values
	maxExportedBytes = 1 << 20 // of texts, bytes and large integers
)

// Exporter turns values of a script into those of Go. The zero value is ready: all that one
// Exporter returns is at most 10,000 values with 1 MiB of texts.
type Exporter struct{ values, bytes int }

// ToGo is Exporter.ToGo for one value.
func ToGo(v Value) (any, error) { return new(Exporter).ToGo(v) }

// ToGo returns a value as Go has it: nil, bool, int64, *big.Int, float64, string, []byte,
// []any, or map[string]any. Keys of dicts that are no text become their text.
func (e *Exporter) ToGo(v Value) (any, error) { return e.value(v, 0) }

// count counts a value before it is made.
func (e *Exporter) count(values, bytes int) error {
	if e.values += values; e.values > maxExported {
		return fmt.Errorf("script: what is handed over is more than %d values", maxExported)
	}
	if e.bytes += bytes; e.bytes > maxExportedBytes {
		return fmt.Errorf("script: what is handed over has more than %d bytes of text", maxExportedBytes)
	}
	return nil
}

func (e *Exporter) value(v Value, depth int) (any, error) {
	if depth > maxNesting {
		return nil, fmt.Errorf("script: a value nests more than %d levels", maxNesting)
	}
	if err := e.count(1, textBytes(v)); err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case py.NoneType:
		return nil, nil
	case Bool:
		return bool(v), nil
	case Int:
		return int64(v), nil
	case *BigInt:
		return new(big.Int).Set(v.V), nil
	case Float:
		return float64(v), nil
	case Str:
		return string(v), nil
	case Bytes:
		return []byte(v), nil
	case *py.ByteArray:
		return slices.Clone(v.V), nil
	case *List:
		return e.slice(v.Items, depth)
	case *Tuple:
		return e.slice(v.Items, depth)
	case *Dict:
		return e.dict(v, depth)
	}
	return nil, fmt.Errorf("script: a value of type %s stays in the script", TypeName(v))
}

// textBytes are the bytes of a text or the like.
func textBytes(v Value) int {
	switch v := v.(type) {
	case Str:
		return len(v)
	case Bytes:
		return len(v)
	case *py.ByteArray:
		return len(v.V)
	case *BigInt:
		return v.V.BitLen() / 8
	}
	return 0
}

func (e *Exporter) dict(d *Dict, depth int) (any, error) {
	out := map[string]any{}
	for i := 0; ; {
		key, item, next := d.At(i)
		if key == nil {
			return out, nil
		}
		i = next
		name, err := keyName(key)
		if err != nil {
			return nil, err
		}
		if err := e.count(0, len(name)); err != nil {
			return nil, err
		}
		if out[name], err = e.value(item, depth+1); err != nil {
			return nil, err
		}
	}
}

func keyName(key Value) (string, error) {
	switch k := key.(type) {
	case Str:
		return string(k), nil
	case Int:
		return strconv.FormatInt(int64(k), 10), nil
	}
	return "", fmt.Errorf("script: a key of type %s is neither text nor number", TypeName(key))
}

func (e *Exporter) slice(items []Value, depth int) ([]any, error) {
	out := []any{}
	for _, item := range items {
		v, err := e.value(item, depth+1)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
