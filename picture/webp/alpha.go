package webp

import "context"

// How alpha may be coded (RFC 9649 §2.7.1.2).
const alphaLossless = 1

// decodeAlpha decodes an ALPH chunk to one byte a pixel.
func decodeAlpha(ctx context.Context, chunk []byte, w, h int) ([]byte, error) {
	flags, data := chunk[0], chunk[1:]
	var out []byte
	switch flags & 3 {
	case 0:
		if len(data) < w*h {
			return nil, ErrShort
		}
		out = append(make([]byte, 0, w*h), data[:w*h]...)
	case alphaLossless:
		pix, err := decodeLossless(ctx, data, w, h)
		if err != nil {
			return nil, err
		}
		out = make([]byte, w*h)
		for i := range out {
			out[i] = pix[4*i+1]
		}
	default:
		return nil, broken("alpha compressed by method %d", flags&3)
	}
	for y := range h {
		if y&63 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		unfilter(out[y*w:][:w], out[max(0, y-1)*w:][:w], y, flags>>2&3)
	}
	return out, nil
}

// unfilter adds to a row of alpha what its filter took away.
func unfilter(row, above []byte, y int, filter byte) {
	const (
		none = iota
		horizontal
		vertical
		gradient
	)
	switch {
	case filter == none:
		return
	case y == 0: // all filters look to the left there
		filter = horizontal
	case filter == vertical:
		for x := range row {
			row[x] += above[x]
		}
		return
	default:
		row[0] += above[0]
	}
	for x := 1; x < len(row); x++ {
		p := row[x-1]
		if filter == gradient {
			p = byte(min(max(int(p)+int(above[x])-int(above[x-1]), 0), 255))
		}
		row[x] += p
	}
}
