package history

import (
	"encoding/json"
	"io"
	"math"
	"strconv"
	"time"
)

// chunk is what an encoder writes at a time.
const chunk = 4096

// encoder appends text to a buffer that it writes when it is full.
type encoder struct {
	w   io.Writer
	b   []byte
	err error
}

func newEncoder(w io.Writer) *encoder { return &encoder{w: w, b: make([]byte, 0, chunk+64)} }

// more writes the buffer if it is full, and reports whether writing works.
func (e *encoder) more() bool {
	if len(e.b) >= chunk {
		e.flush()
	}
	return e.err == nil
}

func (e *encoder) flush() {
	if e.err == nil && len(e.b) > 0 {
		_, e.err = e.w.Write(e.b)
	}
	e.b = e.b[:0]
}

// decimals is how many decimal places of values are written: one more than the quantity's, for
// means, and at least four, as the precision of some is not known.
func decimals(precision int) int { return max(precision, 3) + 1 }

// tens are powers of ten.
var tens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16}

// exact is below which a float64 holds every integer.
const exact = 1 << 53

// appendValue appends a value without zeros at its end. strconv writes a number of decimal places
// that is given by arithmetic of hundreds of digits, four times as slow.
func appendValue(b []byte, v float64, decimals int) []byte {
	scaled := math.Round(math.Abs(v) * tens[decimals])
	if scaled >= exact {
		return strconv.AppendFloat(b, v, 'f', -1, 64)
	}
	n := uint64(scaled)
	if n == 0 {
		return append(b, '0')
	}
	for ; decimals > 0 && n%10 == 0; decimals-- {
		n /= 10
	}
	if v < 0 {
		b = append(b, '-')
	}
	start := len(b)
	b = strconv.AppendUint(b, n, 10)
	for len(b)-start <= decimals { // 0.05
		b = append(b, 0)
		copy(b[start+1:], b[start:])
		b[start] = '0'
	}
	if decimals > 0 {
		b = append(b, 0)
		point := len(b) - 1 - decimals
		copy(b[point+1:], b[point:])
		b[point] = '.'
	}
	return b
}

// appendText appends a string as JSON.
func appendText(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string has no error
	return append(b, text...)
}

// Answer is what WriteJSON writes.
type Answer struct {
	Key
	Tier         string     `json:"tier"`
	Step         int64      `json:"step"` // seconds of a part
	DamagedPages int        `json:"damaged_pages,omitempty"`
	Times        []int64    `json:"times"` // seconds since 1970
	Min          []*float64 `json:"min"`   // nil: a gap begins
	Mean         []*float64 `json:"mean"`
	Max          []*float64 `json:"max"`
}

// writeJSON writes the answer to a query as columns; in a gap the values are null.
func (v *view) writeJSON(w io.Writer, q Query) error {
	if err := q.Check(); err != nil {
		return err
	}
	if q.Points == 0 {
		q.Points = MaxPoints
	}
	p := q.plan()
	// Each gap takes at least one part without readings, so that there are no more rows than parts.
	rows := make([]Row, 0, min((p.to-p.from)/p.step+2, 2*MaxPoints))
	if err := v.rows(p, func(r Row) bool { rows = append(rows, r); return true }); err != nil {
		return err
	}
	e := newEncoder(w)
	e.b = append(e.b, `{"thing":`...)
	e.b = appendText(e.b, v.Thing)
	e.b = appendText(append(e.b, `,"quantity":`...), v.Quantity)
	if v.Unit != "" {
		e.b = appendText(append(e.b, `,"unit":`...), v.Unit)
	}
	e.b = appendText(append(e.b, `,"tier":`...), tierNames[p.tier])
	e.b = strconv.AppendInt(append(e.b, `,"step":`...), p.step, 10)
	if v.damaged > 0 {
		e.b = strconv.AppendInt(append(e.b, `,"damaged_pages":`...), int64(v.damaged), 10)
	}
	e.b = append(e.b, `,"times":[`...)
	for i := 0; i < len(rows) && e.more(); i++ {
		if i > 0 {
			e.b = append(e.b, ',')
		}
		e.b = strconv.AppendInt(e.b, rows[i].Second, 10)
	}
	d := decimals(v.precision)
	for _, c := range []struct {
		name string
		of   func(*Row) float64
	}{
		{`],"min":[`, func(r *Row) float64 { return r.Min }},
		{`],"mean":[`, func(r *Row) float64 { return r.Mean }},
		{`],"max":[`, func(r *Row) float64 { return r.Max }},
	} {
		e.b = append(e.b, c.name...)
		for i := 0; i < len(rows) && e.more(); i++ {
			if i > 0 {
				e.b = append(e.b, ',')
			}
			if rows[i].N == 0 {
				e.b = append(e.b, "null"...)
			} else {
				e.b = appendValue(e.b, c.of(&rows[i]), d)
			}
		}
	}
	e.b = append(e.b, "]}\n"...)
	e.flush()
	return e.err
}

// writeCSV writes the answer to a query as lines, as it is read; a gap is a line without values.
func (v *view) writeCSV(w io.Writer, q Query) error {
	if err := q.Check(); err != nil {
		return err
	}
	e := newEncoder(w)
	e.b = append(e.b, "time,min,mean,max,n\r\n"...) // RFC 4180
	d := decimals(v.precision)
	err := v.rows(q.plan(), func(r Row) bool {
		e.b = time.Unix(r.Second, 0).UTC().AppendFormat(e.b, time.RFC3339)
		if r.N == 0 {
			e.b = append(e.b, ",,,"...)
		} else {
			e.b = appendValue(append(e.b, ','), r.Min, d)
			e.b = appendValue(append(e.b, ','), r.Mean, d)
			e.b = appendValue(append(e.b, ','), r.Max, d)
		}
		e.b = strconv.AppendUint(append(e.b, ','), uint64(r.N), 10)
		e.b = append(e.b, '\r', '\n')
		return e.more()
	})
	e.flush()
	if err == nil {
		err = e.err
	}
	return err
}

// WriteJSON writes the answer to a query as JSON, in columns (docs/api.md).
func (f *File) WriteJSON(w io.Writer, q Query) error { return f.view.writeJSON(w, q) }

// WriteCSV writes the answer to a query as CSV.
func (f *File) WriteCSV(w io.Writer, q Query) error { return f.view.writeCSV(w, q) }
