// Package display shows pictures on a framebuffer: it fetches a picture by its
// URI, decodes it, fits it to the screen, converts it to the screen's own pixel
// layout and, after a time, takes it away again.
//
// A [Screen] is used like this:
//
//	screen := display.New(board, "/dev/fb0", display.DefaultOpts(), log)
//	defer screen.Close()
//	err := screen.Show(ctx, "http://127.0.0.1:8080/pictures/….jpg")
//
// # What is fetched
//
// URIs arrive over the network and are taken for hostile. Four schemes are
// known: http and https, data (RFC 2397), and file for files inside folders that
// the configuration allows. Time, size, redirects and the addresses dialled
// are bounded: see [FetchOpts]. From this machine itself only our own pictures are
// fetched. Of a stream of pictures the first one is shown. Pictures are recognised by
// their first bytes, whatever the server calls them, and are refused by their stated
// size before anything is decoded: see [DecodeOpts]. The decoders end with their
// context, so that a newer command need not wait.
//
// # What is drawn
//
// The way from picture to pixels avoids a second full-size copy, because a
// Raspberry Pi Zero has neither the memory nor the time for it. JPEG pictures
// stay in Y'CbCr planes while they are scaled, row by row, with fixed-point
// weights; only finished rows become red, green and blue, through one table
// look-up per channel that clamps and packs at once. Turning (by the
// configuration or by a JPEG's EXIF orientation) costs nothing extra: finished
// rows are written as columns, or backwards.
//
// Scaling is bilinear, and by area where a plane shrinks to less than half, so
// that a large photograph does not shimmer on a small screen. Transparent
// pictures stand before black, as does all that a picture leaves free.
package display
