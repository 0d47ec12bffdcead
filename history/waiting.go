package history

// waiting are readings that cannot be placed yet: their time is not known, or their file cannot
// be opened. When there are too many every second one of each quantity is dropped, so that what
// is kept covers all of the time.
type waiting struct {
	items []reading
	dated bool            // some wait for their file only
	times uint            // how often they were halved
	seen  map[*series]int // since then
}

// waitingMost bounds them: 1 MB. Ten quantities every 3 s reach it after 80 minutes.
const waitingMost = 16384

func (w *waiting) add(r reading) {
	if w.seen == nil {
		w.seen = map[*series]int{}
	}
	w.seen[r.of]++
	if (w.seen[r.of]-1)%(1<<w.times) != 0 { // as dense as those before it
		return
	}
	if len(w.items) >= waitingMost {
		w.halve()
	}
	w.items = append(w.items, r)
}

// halve drops every second one of each quantity.
func (w *waiting) halve() {
	second := map[*series]bool{}
	kept := w.items[:0]
	for _, r := range w.items {
		if second[r.of] = !second[r.of]; second[r.of] {
			kept = append(kept, r)
		}
	}
	w.items = kept
	w.times++
}

// take returns all of them, and none is left.
func (w *waiting) take() []reading {
	items := w.items
	*w = waiting{}
	return items
}
