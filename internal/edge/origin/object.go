package origin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/dropstack/dropstack/internal/engine"
)

// Reader reads an object from wherever it is told, and opens it only when a byte is
// wanted: HEAD and "not modified" open nothing.
type Reader struct {
	Ctx     context.Context
	Objects engine.ObjectStore
	Object  engine.Object // as Stat has described it
	Err     error         // the first, other than the end

	at   int64
	open io.ReadCloser
}

// Seek implements io.Seeker.
func (o *Reader) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.Object.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the start")
	}
	if offset != o.at {
		o.Close()
	}
	o.at = offset
	return offset, nil
}

// Read implements io.Reader. An object that was replaced since Stat is an error.
func (o *Reader) Read(p []byte) (int, error) {
	if o.at >= o.Object.Size {
		return 0, io.EOF
	}
	if o.open == nil {
		got, open, err := o.Objects.Get(o.Ctx, o.Object.Bucket, o.Object.Key, o.at, -1)
		if err == nil && got.ETag != o.Object.ETag {
			open.Close()
			err = fmt.Errorf("object %s/%s was replaced meanwhile", o.Object.Bucket, o.Object.Key)
		}
		if err != nil {
			o.Err = err
			return 0, err
		}
		o.open = open
	}
	n, err := o.open.Read(p)
	o.at += int64(n)
	if err == io.EOF && o.at < o.Object.Size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && err != io.EOF {
		o.Err = err
	}
	return n, err
}

// Close lets go of the object; reading again opens it again.
func (o *Reader) Close() {
	if o.open != nil {
		o.open.Close()
		o.open = nil
	}
}
