package wire

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/fxamacker/cbor/v2"
)

const (
	tagType = 6 // CBOR's major type of what has a tag
	timeTag = 1 // of a time as seconds since 1970
)

// DecodeCBOR fills the struct that into points to. Members that it has none for
// are ignored.
func DecodeCBOR(data []byte, into any) error {
	return cbor.Unmarshal(data, into)
}

// EncodeCBOR writes a struct: times as tag 1 with seconds, bytes as byte strings.
func EncodeCBOR(v any) ([]byte, error) {
	return cbor.Marshal(v)
}

// MarshalCBOR writes seconds since 1970, with tag 1.
func (t Time) MarshalCBOR() ([]byte, error) {
	seconds := float64(t.UnixMilli()) / 1000
	return binary.BigEndian.AppendUint64([]byte{tagType<<5 | timeTag, 0xfb}, math.Float64bits(seconds)), nil
}

// UnmarshalCBOR reads seconds since 1970, with tag 1 or without; null is the zero
// Time.
func (t *Time) UnmarshalCBOR(data []byte) error {
	if len(data) > 0 && data[0]>>5 == tagType {
		var tagged cbor.RawTag
		if err := cbor.Unmarshal(data, &tagged); err != nil {
			return err
		}
		if tagged.Number != timeTag {
			return fmt.Errorf("tag %d is not that of a time, which is %d", tagged.Number, timeTag)
		}
		data = tagged.Content
	}
	var seconds *float64
	if err := cbor.Unmarshal(data, &seconds); err != nil {
		return fmt.Errorf("a time is no number: %w", err)
	}
	switch {
	case seconds == nil:
		*t = Time{}
	case !inRange(*seconds):
		return fmt.Errorf("%v is no time", *seconds)
	default:
		*t = after(*seconds)
	}
	return nil
}
