// Package cbor reads and writes as much of CBOR (RFC 8949) as AWS IoT's device services
// send: what JSON can say, too. Values are those of encoding/json with UseNumber.
package cbor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and maps nest.
const maxDepth = 16

// The major types of RFC 8949 section 3.1.
const (
	unsigned = iota
	negative
	bytesType
	textType
	arrayType
	mapType
	tagType
	simpleType
)

var errShort = errors.New("the CBOR ends too early")

// Decode reads one value, which must be all there is. Its maps have texts as keys.
func Decode(b []byte) (any, error) {
	d := decoder{b: b}
	v, err := d.value(0)
	if err == nil && len(d.b) > 0 {
		err = fmt.Errorf("%d bytes follow the CBOR", len(d.b))
	}
	return v, err
}

type decoder struct{ b []byte }

func (d *decoder) take(n uint64) ([]byte, error) {
	if n > uint64(len(d.b)) {
		return nil, errShort
	}
	taken := d.b[:n]
	d.b = d.b[n:]
	return taken, nil
}

// head reads the major type, the additional information and the argument of an item. Items
// of indefinite length are refused.
func (d *decoder) head() (major, info byte, argument uint64, err error) {
	first, err := d.take(1)
	if err != nil {
		return 0, 0, 0, err
	}
	major, info = first[0]>>5, first[0]&31
	if info < 24 {
		return major, info, uint64(info), nil
	}
	if info > 27 {
		return 0, 0, 0, errors.New("CBOR of indefinite length is not supported")
	}
	b, err := d.take(1 << (info - 24))
	if err != nil {
		return 0, 0, 0, err
	}
	return major, info, binary.BigEndian.Uint64(append(make([]byte, 8-len(b)), b...)), nil
}

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("CBOR nests more than %d deep", maxDepth)
	}
	major, info, n, err := d.head()
	if err != nil {
		return nil, err
	}
	switch major {
	case unsigned:
		return json.Number(strconv.FormatUint(n, 10)), nil
	case negative:
		if n > math.MaxInt64 {
			return nil, errors.New("a CBOR number is too small")
		}
		return json.Number(strconv.FormatInt(-1-int64(n), 10)), nil
	case textType:
		text, err := d.take(n)
		if err == nil && !utf8.Valid(text) {
			err = errors.New("a CBOR text is not UTF-8")
		}
		return string(text), err
	case arrayType:
		return d.array(n, depth)
	case mapType:
		return d.object(n, depth)
	case simpleType:
		return simple(info, n)
	}
	return nil, fmt.Errorf("CBOR of major type %d is not supported", major)
}

func (d *decoder) array(n uint64, depth int) (any, error) {
	if n > uint64(len(d.b)) { // each element has a byte at least
		return nil, errShort
	}
	list := make([]any, n)
	for i := range list {
		var err error
		if list[i], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (d *decoder) object(n uint64, depth int) (any, error) {
	if n > uint64(len(d.b)) {
		return nil, errShort
	}
	object := make(map[string]any, n)
	for range n {
		key, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		name, ok := key.(string)
		if _, twice := object[name]; !ok || twice {
			return nil, errors.New("a key of a CBOR map is no text, or comes twice")
		}
		if object[name], err = d.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

// simple reads the values of RFC 8949 section 3.3.
func simple(info byte, n uint64) (any, error) {
	var f float64
	switch info {
	case 20, 21:
		return info == 21, nil
	case 22:
		return nil, nil
	case 25:
		f = half(uint16(n))
	case 26:
		f = float64(math.Float32frombits(uint32(n)))
	case 27:
		f = math.Float64frombits(n)
	default:
		return nil, fmt.Errorf("the simple value %d of CBOR is not supported", n)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, errors.New("a CBOR number is infinite or none")
	}
	if f == 0 {
		f = 0 // without a sign: it is the 0 of JSON
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, 64)), nil
}

// half is a float of 16 bits (RFC 8949 appendix D).
func half(n uint16) float64 {
	exponent, mantissa := int(n>>10&31), float64(n&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(mantissa, -24)
	case 31:
		f = math.Inf(1)
		if mantissa != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mantissa+1024, exponent-25)
	}
	if n>>15 != 0 {
		f = -f
	}
	return f
}

// Encode writes such a value, with the keys of maps in order.
func Encode(value any) ([]byte, error) { return appendValue(nil, value) }

func appendValue(b []byte, value any) ([]byte, error) {
	var err error
	switch v := value.(type) {
	case nil:
		return append(b, simpleType<<5|22), nil
	case bool:
		if v {
			return append(b, simpleType<<5|21), nil
		}
		return append(b, simpleType<<5|20), nil
	case string:
		return append(appendHead(b, textType, uint64(len(v))), v...), nil
	case json.Number:
		return appendNumber(b, v)
	case []any:
		b = appendHead(b, arrayType, uint64(len(v)))
		for _, inner := range v {
			if b, err = appendValue(b, inner); err != nil {
				return nil, err
			}
		}
		return b, nil
	case map[string]any:
		b = appendHead(b, mapType, uint64(len(v)))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b = append(appendHead(b, textType, uint64(len(key))), key...)
			if b, err = appendValue(b, v[key]); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return nil, fmt.Errorf("CBOR of %T is not supported", value)
}

func appendNumber(b []byte, n json.Number) ([]byte, error) {
	if i, err := strconv.ParseInt(n.String(), 10, 64); err == nil {
		if i < 0 {
			return appendHead(b, negative, uint64(-1-i)), nil
		}
		return appendHead(b, unsigned, uint64(i)), nil
	}
	if u, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return appendHead(b, unsigned, u), nil
	}
	f, err := n.Float64()
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(append(b, simpleType<<5|27), math.Float64bits(f)), nil
}

func appendHead(b []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(b, major<<5|byte(n))
	case n <= math.MaxUint8:
		return append(b, major<<5|24, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, major<<5|25), uint16(n))
	case n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, major<<5|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(b, major<<5|27), n)
}
