//go:build race

package broker

// raceDetector keeps copies of what memory was accessed: its memory says nothing.
const raceDetector = true
