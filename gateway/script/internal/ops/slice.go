package ops

import (
	"math"

	"pithings/gateway/script/internal/py"
)

// bounds turns a slice into places among n items: from, step and how many.
func bounds(m *py.Machine, s *py.Slice, n int) (from, step, number int) {
	step64 := sliceInt(m, s.Step, 1)
	if step64 == 0 {
		py.Raise(m, py.ValueError, "slice step cannot be zero")
	}
	size := int64(n)
	clamp := func(v py.Value, low, high, absent int64) int64 {
		if v == nil || v == py.None {
			return absent
		}
		i := sliceInt(m, v, 0)
		if i < 0 {
			i += size
		}
		return min(max(i, low), high)
	}
	var start, stop int64
	if step64 > 0 {
		start, stop = clamp(s.Low, 0, size, 0), clamp(s.High, 0, size, size)
		if stop > start {
			number = int((stop-start-1)/step64) + 1
		}
	} else {
		start, stop = clamp(s.Low, -1, size-1, size-1), clamp(s.High, -1, size-1, -1)
		if start > stop {
			number = int((start-stop-1)/-step64) + 1
		}
	}
	return int(start), int(max(min(step64, 1<<30), -1<<30)), number
}

// sliceInt is a part of a slice; one that is too large is cut.
func sliceInt(m *py.Machine, v py.Value, absent int64) int64 {
	const most = 1 << 40
	if v == nil || v == py.None {
		return absent
	}
	if b, ok := v.(*py.Big); ok {
		return int64(b.V.Sign()) * most
	}
	i, ok := py.ToInt(v)
	if !ok {
		if r, special := py.Special(m, v, "__index__"); special {
			i, ok = py.ToInt(r)
		}
	}
	if !ok {
		py.Raise(m, py.TypeError, "slice indices must be integers or None or have an __index__ method")
	}
	return max(min(i, most), -most)
}

// sliceOf is "v[slice]", or nil for what has no slices.
func sliceOf(m *py.Machine, v py.Value, s *py.Slice) py.Value {
	switch x := v.(type) {
	case *py.List:
		return &py.List{Items: picked(m, x.Items, s)}
	case *py.Tuple:
		return &py.Tuple{Items: picked(m, x.Items, s)}
	case py.Str:
		return textSlice(m, string(x), s)
	case py.Bytes:
		return py.Bytes(bytesSlice(m, string(x), s))
	case *py.ByteArray:
		return &py.ByteArray{V: []byte(bytesSlice(m, string(x.V), s))}
	case *py.Range:
		if x.N > math.MaxInt32 {
			py.Raise(m, py.OverflowError, "a slice of a range of more than %d numbers", math.MaxInt32)
		}
		from, step, n := bounds(m, s, int(x.N))
		return &py.Range{Start: x.Start + int64(from)*x.Step, Stop: x.Start + int64(from+step*n)*x.Step, Step: x.Step * int64(step), N: int64(n)}
	}
	return nil
}

func picked(m *py.Machine, items []py.Value, s *py.Slice) []py.Value {
	from, step, n := bounds(m, s, len(items))
	m.AllocN(n+3, 16)
	out := make([]py.Value, n)
	for i := range out {
		out[i] = items[from+i*step]
	}
	return out
}

func bytesSlice(m *py.Machine, b string, s *py.Slice) string {
	from, step, n := bounds(m, s, len(b))
	m.Alloc(16 + n)
	out := make([]byte, n)
	for i := range out {
		out[i] = b[from+i*step]
	}
	return string(out)
}

func textSlice(m *py.Machine, text string, s *py.Slice) py.Value {
	if isASCII(text) {
		from, step, n := bounds(m, s, len(text))
		m.Alloc(16 + n)
		if n == 0 {
			return py.Str("")
		}
		if step == 1 {
			return py.Str(text[from : from+n])
		}
		return py.Str(bytesSlice(m, text, s))
	}
	m.AllocN(len(text), 6)
	runes := []rune(text)
	from, step, n := bounds(m, s, len(runes))
	out := make([]rune, n)
	for i := range out {
		out[i] = runes[from+i*step]
	}
	return py.Str(string(out))
}

// setSlice is "l[slice] = items".
func setSlice(m *py.Machine, l *py.List, s *py.Slice, items []py.Value) {
	from, step, n := bounds(m, s, len(l.Items))
	if step == 1 {
		m.AllocN(len(l.Items)-n+len(items), 16)
		out := make([]py.Value, 0, len(l.Items)-n+len(items))
		out = append(append(out, l.Items[:from]...), items...)
		l.Items = append(out, l.Items[from+n:]...)
		return
	}
	if len(items) != n {
		py.Raise(m, py.ValueError, "attempt to assign sequence of size %d to extended slice of size %d", len(items), n)
	}
	for i := range items {
		l.Items[from+i*step] = items[i]
	}
}

// delSlice is "del l[slice]".
func delSlice(m *py.Machine, l *py.List, s *py.Slice) {
	from, step, n := bounds(m, s, len(l.Items))
	if n == 0 {
		return
	}
	if step < 0 {
		from, step = from+(n-1)*step, -step
	}
	m.AllocN(len(l.Items), 16)
	out := make([]py.Value, 0, len(l.Items)-n)
	for i, v := range l.Items {
		if i < from || (i-from)%step != 0 || (i-from)/step >= n {
			out = append(out, v)
		}
	}
	l.Items = out
}
