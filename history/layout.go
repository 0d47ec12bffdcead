package history

import "time"

// pageSize is what is written at a time: the page of every file system and of most cards.
const pageSize = 4096

// headSize is the head of a page; the slots follow.
const headSize = 32

// The file: a page with its head, a journal page for each tier, and the tiers, each a ring.
const (
	journalAt = 1 // the first journal page
	ringsAt   = journalAt + tierCount
)

// tier is one of the rings of a file.
type tier int

const (
	raw tier = iota
	minutes
	hours
	tierCount = 3
)

// tierNames are for people.
var tierNames = [tierCount]string{"raw", "minutes", "hours"}

// layout is a tier's part of the file. It is the same in all files of this version.
type layout struct {
	step   int64 // seconds of a slot
	slots  int64 // of a page
	bytes  int64 // of a slot
	keep   int64 // seconds that are kept at least
	places int64 // pages of the ring: those of keep, one that has begun, and one more that keep ends in
	first  int64 // the first page of the ring in the file
}

const (
	rawSlots = (pageSize - headSize) / 4  // 1016: nearly 17 minutes
	aggSlots = (pageSize - headSize) / 16 // 254: of minutes 4.2 hours, of hours 10.6 days

	rawPlaces    = 88
	minutePlaces = 42
	hourPlaces   = 37
)

var layouts = [tierCount]layout{
	raw:     {step: 1, slots: rawSlots, bytes: 4, keep: 86400, places: rawPlaces, first: ringsAt},
	minutes: {step: 60, slots: aggSlots, bytes: 16, keep: 7 * 86400, places: minutePlaces, first: ringsAt + rawPlaces},
	hours:   {step: 3600, slots: aggSlots, bytes: 16, keep: 366 * 86400, places: hourPlaces, first: ringsAt + rawPlaces + minutePlaces},
}

// FileSize is the most that a file takes, in bytes.
const FileSize = (ringsAt + rawPlaces + minutePlaces + hourPlaces) * pageSize

// locate returns in which page, and in which of its slots, a second since 1970 is.
func (l *layout) locate(second int64) (number, slot int64) {
	s := second / l.step
	return s / l.slots, s % l.slots
}

// place is where in the file a page is, in bytes.
func (l *layout) place(number int64) int64 { return (l.first + number%l.places) * pageSize }

// span is how many seconds a page holds.
func (l *layout) span() int64 { return l.step * l.slots }

// journalPlace is where in the file the journal of a tier is.
func journalPlace(t tier) int64 { return (journalAt + int64(t)) * pageSize }

// Tick is how often readings that wait for their page to be full are looked at.
const Tick = 520 * time.Second

// saveAge is after how many ticks a page that is not full is written all the same: the second of
// two full ticks ends after the page of raw slots does (1016 s), so that while readings come no
// page is written twice.
const saveAge = 3

// MaxUnsaved is the age of the oldest reading that a power cut can lose.
const MaxUnsaved = saveAge * Tick

// No reading is of before 1970, or of after the year 9999, which JSON's times cannot hold.
const latestSecond = 253402300799
