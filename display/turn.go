package display

// turn is one of the eight ways to lay a rectangle on another with parallel
// sides: where the picture's own x and y axes point on the screen.
type turn struct {
	xx, xy int // screen direction of the picture's x axis
	yx, yy int // screen direction of the picture's y axis
}

// turnOf joins an EXIF orientation (1–8; anything else counts as 1: JEITA
// CP-3451 §4.6.4, tag 274) with a clockwise turn by 0, 90, 180 or 270 degrees.
func turnOf(orientation, degrees int) turn {
	t := turn{1, 0, 0, 1}
	switch orientation {
	case 2: // mirrored left to right
		t = turn{-1, 0, 0, 1}
	case 3: // upside down
		t = turn{-1, 0, 0, -1}
	case 4: // mirrored top to bottom
		t = turn{1, 0, 0, -1}
	case 5: // mirrored along the main diagonal
		t = turn{0, 1, 1, 0}
	case 6: // to be turned 90° clockwise
		t = turn{0, 1, -1, 0}
	case 7: // mirrored along the other diagonal
		t = turn{0, -1, -1, 0}
	case 8: // to be turned 90° anticlockwise
		t = turn{0, -1, 1, 0}
	}
	for ; degrees > 0; degrees -= 90 {
		// Clockwise, with y pointing down: (x, y) becomes (-y, x).
		t.xx, t.xy = -t.xy, t.xx
		t.yx, t.yy = -t.yy, t.yx
	}
	return t
}

// sideways tells whether the picture's rows become the screen's columns.
func (t turn) sideways() bool { return t.xx == 0 }

// place is how a picture lies on a screen, seen in the picture's own
// orientation: the part of it that shows, in picture pixels, and the size of
// that part on the screen, before turning.
type place struct {
	x, y, w, h   float64 // the part of the picture that is shown
	outW, outH   int     // its size when scaled
	left, top    int     // where it lies on the screen, after turning
	onW, onH     int     // its size on the screen, after turning
	screenOrigin struct{ x, y int }
}

// fitPicture places a picture of w x h pixels on a screen of sw x sh.
func fitPicture(fit Fit, t turn, w, h, sw, sh int) place {
	var p place
	// The screen as the picture sees it.
	vw, vh := sw, sh
	if t.sideways() {
		vw, vh = sh, sw
	}
	wide := int64(w)*int64(vh) > int64(h)*int64(vw) // wider than the screen
	switch {
	case fit == Cover && wide:
		p.h = float64(h)
		p.w = float64(h) * float64(vw) / float64(vh)
		p.outW, p.outH = vw, vh
	case fit == Cover:
		p.w = float64(w)
		p.h = float64(w) * float64(vh) / float64(vw)
		p.outW, p.outH = vw, vh
	case wide:
		p.w, p.h = float64(w), float64(h)
		p.outW = vw
		p.outH = max(1, int((2*int64(h)*int64(vw)+int64(w))/(2*int64(w))))
	default:
		p.w, p.h = float64(w), float64(h)
		p.outH = vh
		p.outW = max(1, int((2*int64(w)*int64(vh)+int64(h))/(2*int64(h))))
	}
	p.outW, p.outH = min(p.outW, vw), min(p.outH, vh)
	p.x, p.y = (float64(w)-p.w)/2, (float64(h)-p.h)/2

	p.onW, p.onH = p.outW, p.outH
	if t.sideways() {
		p.onW, p.onH = p.outH, p.outW
	}
	p.left, p.top = (sw-p.onW)/2, (sh-p.onH)/2
	// The picture's first pixel lies in the corner that both its axes lead
	// away from.
	p.screenOrigin.x, p.screenOrigin.y = p.left, p.top
	if t.xx < 0 || t.yx < 0 {
		p.screenOrigin.x += p.onW - 1
	}
	if t.xy < 0 || t.yy < 0 {
		p.screenOrigin.y += p.onH - 1
	}
	return p
}
