// Package bench measures dropstack end to end, each figure beside a named baseline
// of the same run, because machines differ and the ratio is what can be compared.
//
//	make bench
package bench
