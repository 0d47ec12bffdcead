package jpeg

import "context"

// progressive returns what decodes a block of this scan (G.1.2): each of the four
// kinds of scan adds something to the coefficients.
func (s *scan) progressive() func(*scanPlane, int, int) bool {
	decode := s.acRefine
	switch {
	case s.from == 0 && s.high == 0:
		decode = s.dcFirst
	case s.from == 0:
		decode = s.dcRefine
	case s.high == 0:
		decode = s.acFirst
	}
	return func(p *scanPlane, bx, by int) bool {
		at := by*p.wide + bx
		return decode(p, (*[64]int16)(p.coef[64*at:]), &p.filled[at])
	}
}

func (s *scan) dcFirst(p *scanPlane, c *[64]int16, _ *bool) bool {
	size, ok := s.symbol(p.dc)
	if !ok || size > 15 {
		return false
	}
	p.pred += s.extend(uint(size))
	c[0] = int16(p.pred << s.low)
	return true
}

func (s *scan) dcRefine(_ *scanPlane, c *[64]int16, _ *bool) bool {
	c[0] |= int16(s.bit() << s.low)
	return true
}

func (s *scan) acFirst(p *scanPlane, c *[64]int16, filled *bool) bool {
	if s.endOfBand > 0 {
		s.endOfBand--
		return true
	}
	for k := s.from; k <= s.to; k++ {
		value, ok := s.symbol(p.ac)
		if !ok {
			return false
		}
		run, size := int(value>>4), uint(value&15)
		if size == 0 {
			if run < 15 {
				s.endOfBand = 1<<run - 1 + uint(s.bits(uint(run)))
				break
			}
			k += 15
			continue
		}
		if k += run; k > s.to {
			return false
		}
		c[Zigzag[k&63]] = int16(s.extend(size) << s.low)
		*filled = true
	}
	return true
}

// acRefine adds a bit to each coefficient that is not 0 yet, and sets others
// (G.1.2.3).
func (s *scan) acRefine(p *scanPlane, c *[64]int16, filled *bool) bool {
	k := s.from
	for s.endOfBand == 0 && k <= s.to {
		value, ok := s.symbol(p.ac)
		if !ok {
			return false
		}
		run, size := int(value>>4), value&15
		var set int16
		switch {
		case size == 0 && run < 15:
			s.endOfBand = 1<<run + uint(s.bits(uint(run)))
			continue
		case size == 1 && s.bit() == 1:
			set = 1 << s.low
		case size == 1:
			set = -1 << s.low
		case size > 1:
			return false
		}
		k = s.refine(c, k, run)
		if set != 0 {
			if k > s.to {
				return false
			}
			c[Zigzag[k&63]] = set
			*filled = true
		}
		k++
	}
	if s.endOfBand > 0 {
		if *filled { // in most blocks of a scan there is nothing to refine
			s.refine(c, k, 64)
		}
		s.endOfBand--
	}
	return true
}

// refine adds a bit to the coefficients from k on, up to the place that follows
// zeroes of those that are 0, and returns the place.
func (s *scan) refine(c *[64]int16, k, zeroes int) int {
	for ; k <= s.to; k++ {
		v := &c[Zigzag[k&63]]
		if *v == 0 {
			if zeroes == 0 {
				break
			}
			zeroes--
			continue
		}
		if s.bit() == 0 || *v&(1<<s.low) != 0 {
			continue
		}
		if *v > 0 {
			*v += 1 << s.low
		} else {
			*v -= 1 << s.low
		}
	}
	return k
}

// reconstruct turns a progressive picture's coefficients into samples.
func (d *decoder) reconstruct() error {
	for i := range d.planes {
		p := &d.planes[i]
		var quant, b [64]int32
		for k, q := range p.quant {
			quant[Zigzag[k]] = q
		}
		for by := range ceil(p.h, 8) {
			if d.ctx.Err() != nil {
				return context.Cause(d.ctx)
			}
			for bx := range ceil(p.w, 8) {
				c := (*[64]int16)(p.coef[64*(by*p.wide+bx):])
				written := uint64(0)
				for k, v := range c {
					b[k] = int32(v) * quant[k]
					if v != 0 {
						written |= 1 << k
					}
				}
				idct(&b, written, p.pix[by*8*p.stride+bx*8:], p.stride)
			}
		}
		p.coef = nil
	}
	return nil
}
