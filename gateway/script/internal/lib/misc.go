package lib

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"strings"

	"pithings/gateway/script/internal/ops"
	"pithings/gateway/script/internal/py"
)

func copyModule() map[string]py.Value {
	return functions([]def{
		{"copy", "x", func(m *py.Machine, a []py.Value) py.Value { return shallow(m, a[0]) }},
		{"deepcopy", "x memo=", func(m *py.Machine, a []py.Value) py.Value { return deep(m, a[0], map[py.Value]py.Value{}) }},
	}, nil)
}

func shallow(m *py.Machine, v py.Value) py.Value {
	m.Alloc(64)
	switch x := v.(type) {
	case *py.List:
		return &py.List{Items: ops.Fresh(m, x)}
	case *py.Dict:
		return x.Copy(m)
	case *py.Set:
		return ops.Binary(m, "|", x, &py.Set{})
	case *py.ByteArray:
		m.Alloc(len(x.V))
		return &py.ByteArray{V: append([]byte(nil), x.V...)}
	case *py.Instance:
		if x.Native != nil {
			return x
		}
		c := *x
		m.AllocN(len(x.Attrs), 64)
		c.Attrs = append(py.Attrs(nil), x.Attrs...)
		return &c
	case *deque:
		return py.Call(m, ops.Attr(m, x, "copy"))
	}
	return v
}

// deep copies what can change, and all that it holds. done has what was copied already.
func deep(m *py.Machine, v py.Value, done map[py.Value]py.Value) py.Value {
	m.Step()
	if c := done[v]; c != nil {
		return c
	}
	m.Enter()
	defer m.Leave()
	items := func(from []py.Value) []py.Value {
		m.AllocN(len(from)+3, 16)
		out := make([]py.Value, len(from))
		for i, x := range from {
			out[i] = deep(m, x, done)
		}
		return out
	}
	switch x := v.(type) {
	case *py.List:
		l := &py.List{}
		m.Alloc(64)
		done[v] = l
		l.Items = items(x.Items)
		return l
	case *py.Tuple:
		return &py.Tuple{Items: items(x.Items), Class: x.Class}
	case *py.Dict:
		d := &py.Dict{Class: x.Class, Factory: x.Factory}
		m.Alloc(128)
		done[v] = d
		for i := 0; ; {
			key, value, next := x.At(i)
			if key == nil {
				return d
			}
			i = next
			d.Set(m, deep(m, key, done), deep(m, value, done))
		}
	case *deque:
		c := &deque{most: x.most}
		m.Alloc(96)
		done[v] = c
		c.set(items(x.items()))
		return c
	case *py.Instance:
		if x.Native != nil || x.Args != nil {
			return x
		}
		c := &py.Instance{Class: x.Class}
		m.Alloc(128)
		done[v] = c
		for _, a := range x.Attrs {
			m.Alloc(64)
			c.Attrs.Set(a.Name, deep(m, a.Value, done))
		}
		return c
	}
	return shallow(m, v)
}

func base64Module() map[string]py.Value {
	encode := func(e *base64.Encoding) func(m *py.Machine, a []py.Value) py.Value {
		return func(m *py.Machine, a []py.Value) py.Value {
			s, ok := py.ToBytes(a[0])
			if !ok {
				py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", a[0].Type().FullName())
			}
			m.Alloc(2 * len(s))
			return py.Bytes(e.EncodeToString([]byte(s)))
		}
	}
	decode := func(alphabet string, e *base64.Encoding) func(m *py.Machine, a []py.Value) py.Value {
		return func(m *py.Machine, a []py.Value) py.Value {
			s := data(m, a[0])
			m.Alloc(2 * len(s))
			b, err := e.DecodeString(onlyBase64(s, alphabet))
			if err != nil {
				py.Raise(m, binasciiError, "Incorrect padding")
			}
			return py.Bytes(b)
		}
	}
	return functions([]def{
		{"b64encode", "s", encode(base64.StdEncoding)},
		{"b64decode", "s", decode("+/", base64.StdEncoding)},
		{"urlsafe_b64encode", "s", encode(base64.URLEncoding)},
		{"urlsafe_b64decode", "s", decode("-_", base64.URLEncoding)},
	}, nil)
}

// onlyBase64 drops what is not of the alphabet, as Python does by default.
func onlyBase64(s, extra string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '=' || strings.ContainsRune(extra, r) {
			return r
		}
		return -1
	}, s)
}

var binasciiError = py.NewType("Error", py.ValueError)

func binasciiModule() map[string]py.Value {
	binasciiError.Module = "binascii"
	toHex := func(m *py.Machine, a []py.Value) py.Value {
		s, ok := py.ToBytes(a[0])
		if !ok {
			py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", a[0].Type().FullName())
		}
		m.Alloc(2 * len(s))
		return py.Bytes(hex.EncodeToString([]byte(s)))
	}
	fromHex := func(m *py.Machine, a []py.Value) py.Value {
		s := data(m, a[0])
		m.Alloc(len(s))
		b, err := hex.DecodeString(s)
		if err != nil {
			if len(s)%2 == 1 {
				py.Raise(m, binasciiError, "Odd-length string")
			}
			py.Raise(m, binasciiError, "Non-hexadecimal digit found")
		}
		return py.Bytes(b)
	}
	return functions([]def{
		{"hexlify", "data", toHex}, {"b2a_hex", "data", toHex}, {"unhexlify", "hexstr", fromHex}, {"a2b_hex", "hexstr", fromHex},
		{"crc32", "data value=", func(m *py.Machine, a []py.Value) py.Value {
			s, ok := py.ToBytes(a[0])
			if !ok {
				py.Raise(m, py.TypeError, "a bytes-like object is required, not '%s'", a[0].Type().FullName())
			}
			m.Work(len(s) / 64)
			start, _ := py.ToInt(py.None)
			if a[1] != nil {
				start, _ = py.ToInt(a[1])
			}
			return py.Int(crc32.Update(uint32(start), crc32.IEEETable, []byte(s)))
		}},
	}, map[string]py.Value{"Error": binasciiError})
}

// digest is an object of hashlib.
type digest struct {
	name string
	h    hash.Hash
}

var digestType = py.NewType("HASH", py.ObjectType)

func (*digest) Type() *py.Type { return digestType }

// Each counts the state.
func (*digest) Each(func(py.Value)) int { return 300 }

func hashlibModule() map[string]py.Value {
	digestType.Module = "_hashlib"
	sum := func(a []py.Value) string { return string(a[0].(*digest).h.Sum(nil)) }
	methods(digestType, []def{
		{"update", "self data", func(m *py.Machine, a []py.Value) py.Value {
			update(m, a[0].(*digest), a[1])
			return py.None
		}},
		{"digest", "self", func(_ *py.Machine, a []py.Value) py.Value { return py.Bytes(sum(a)) }},
		{"hexdigest", "self", func(_ *py.Machine, a []py.Value) py.Value { return py.Str(hex.EncodeToString([]byte(sum(a)))) }},
	})
	var defs []def
	for name, make := range map[string]func() hash.Hash{"md5": md5.New, "sha1": sha1.New, "sha256": sha256.New, "sha512": sha512.New} {
		defs = append(defs, def{name, "data= usedforsecurity=", func(m *py.Machine, a []py.Value) py.Value {
			m.Alloc(300)
			d := &digest{name: name, h: make()}
			if a[0] != nil {
				update(m, d, a[0])
			}
			return d
		}})
	}
	return functions(defs, nil)
}

func update(m *py.Machine, d *digest, v py.Value) {
	s, ok := py.ToBytes(v)
	if !ok {
		py.Raise(m, py.TypeError, "Strings must be encoded before hashing")
	}
	m.Work(len(s) / 32)
	d.h.Write([]byte(s))
}
