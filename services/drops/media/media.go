// Package media reads what it must of image, video and audio files and removes
// metadata from images. Its parsers bound what they read and allocate, whatever
// the file claims.
//
// Formats: JPEG (ITU T.81 annex B), Exif 2.32, PNG (W3C, third edition), WebP
// container (RFC 9649), ISO base media (ISO 14496-12), EBML/Matroska (RFC 8794,
// RFC 9559), RIFF WAVE.
package media

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// ErrFormat is wrapped by errors about files that are not what they claim.
var ErrFormat = errors.New("malformed file")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

// CanStrip reports whether Strip knows the media type.
func CanStrip(media string) bool {
	return media == "image/jpeg" || media == "image/png" || media == "image/apng" || media == "image/vnd.mozilla.apng" || media == "image/webp"
}

// Strip copies an image from r to w without its metadata (Exif with GPS, XMP,
// IPTC, comments, texts, appended files); only the orientation is kept. Pixels,
// colour profiles and animation stay byte for byte. It returns the Exif
// orientation, 1 to 8, 1 when there is none.
func Strip(media string, w io.WriteSeeker, r io.Reader) (orientation int, err error) {
	switch media {
	case "image/jpeg":
		return stripJPEG(w, r)
	case "image/png", "image/apng", "image/vnd.mozilla.apng":
		return stripPNG(w, r)
	case "image/webp":
		return stripWebP(w, r)
	}
	return 1, fmt.Errorf("no metadata is removed from %s", media)
}

// maxMeta bounds the metadata block that is searched for the orientation.
const maxMeta = 64 << 10

// orientation reads tag 0x0112 of a TIFF block's first directory.
func orientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	off := uint64(order.Uint32(tiff[4:]))
	if off+2 > uint64(len(tiff)) {
		return 1
	}
	count := uint64(order.Uint16(tiff[off:]))
	for i := range count {
		at := off + 2 + i*12
		if at+12 > uint64(len(tiff)) {
			return 1
		}
		entry := tiff[at : at+12]
		if order.Uint16(entry) == 0x0112 && order.Uint16(entry[2:]) == 3 {
			if o := int(order.Uint16(entry[8:])); o >= 1 && o <= 8 {
				return o
			}
			return 1
		}
	}
	return 1
}

// tiffOf makes the smallest TIFF block that says only the orientation.
func tiffOf(orientation int) []byte {
	return []byte{
		'M', 'M', 0, '*', 0, 0, 0, 8, // big endian, directory at 8
		0, 1, // one entry
		0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, byte(orientation), 0, 0, // Orientation, SHORT
		0, 0, 0, 0, // no further directory
	}
}

// Orientation reads the orientation of an image from its start.
func Orientation(media string, r io.Reader) int {
	o, err := Strip(media, discard{}, r)
	if err != nil && o < 1 {
		return 1
	}
	return o
}

// discard is an io.WriteSeeker that forgets.
type discard struct{}

func (discard) Write(p []byte) (int, error)          { return len(p), nil }
func (discard) Seek(off int64, _ int) (int64, error) { return off, nil }
