package anomaly

import "time"

// season is what a series had at the same time of other days.
type season struct {
	points []Point // before now
	now    int64
	known  map[int64][]int64 // kin of moments, by their day since 1970
}

// kin are how long before a moment the days are that are like its day: of the same
// day of the week if there are three, else all that are working days or days of a
// weekend as it is (UTC).
func (s *season) kin(moment int64) []int64 {
	date := moment / day
	if lags, ok := s.known[date]; ok {
		return lags
	}
	if s.known == nil {
		s.known = map[int64][]int64{}
	}
	s.known[date] = s.seek(moment)
	return s.known[date]
}

func (s *season) seek(moment int64) []int64 {
	var same, class []int64
	if len(s.points) == 0 {
		return nil
	}
	for lag := day; moment-lag >= s.points[0].Time; lag += day {
		if len(s.near(moment-lag)) == 0 {
			continue
		}
		if lag%(7*day) == 0 {
			same = append(same, lag)
		}
		if free(moment-lag) == free(moment) {
			class = append(class, lag)
		}
	}
	if len(same) >= 3 {
		return same
	}
	return class
}

func free(at int64) bool {
	weekday := time.UnixMilli(at).UTC().Weekday()
	return weekday == time.Saturday || weekday == time.Sunday
}

// near are the values around a moment.
func (s *season) near(at int64) []Point { return between(s.points, at-around, at+around+1) }

// at is what the other days had at that time.
func (s *season) at(moment int64) (value float64, ok bool) {
	var days []float64
	for _, lag := range s.kin(moment) {
		if v, ok := s.middle(moment - lag); ok {
			days = append(days, v)
		}
	}
	if len(days) == 0 {
		return 0, false
	}
	return median(days), true
}

func (s *season) middle(at int64) (float64, bool) {
	near := s.near(at)
	if len(near) == 0 {
		return 0, false
	}
	values := make([]float64, len(near))
	for i, p := range near {
		values[i] = p.Value
	}
	return median(values), true
}

func (s *season) judge(m Mode, last Point) (Verdict, bool) {
	usually, ok := s.at(last.Time)
	if !ok {
		return Verdict{}, false
	}
	if usually <= 0 { // nothing to be relative to
		return s.absolute(last, usually), true
	}
	ratios := s.ratios(last.Time-m.level(), last.Time-guard)
	level := 1.0
	if len(ratios) > 0 {
		level = median(ratios)
	}
	expected := usually * level
	return verdict(last.Value, expected, expected*s.relative(level)), true
}

// ratios are the values of a time, each to what other days had then. Of many, some
// at equal distances are taken.
func (s *season) ratios(from, to int64) (list []float64) {
	points := between(s.points, from, to)
	for i := 0; i < len(points); i += 1 + len(points)/stops {
		if usually, ok := s.at(points[i].Time); ok && usually > 0 {
			list = append(list, points[i].Value/usually)
		}
	}
	return list
}

// relative is the deviation in parts of what is expected: how restless the last
// hours were, and this time of other days.
func (s *season) relative(level float64) float64 {
	var noise float64
	if recent := s.ratios(s.now-3*hour, s.now-guard); len(recent) >= least/2 && level > 0 {
		middle := median(recent)
		noise = spread(recent, middle) / level
	}
	var days []float64 // around the middle of their day, so that a day's level is none of it
	for _, lag := range s.kin(s.now) {
		middle, ok := s.middle(s.now - lag)
		if !ok || middle == 0 {
			continue
		}
		for _, p := range s.near(s.now - lag) {
			days = append(days, p.Value/middle)
		}
	}
	if len(days) >= least/2 {
		noise = max(noise, spread(days, 1))
	}
	return noise
}

// absolute judges a series that is nothing at this time of the day.
func (s *season) absolute(last Point, usually float64) Verdict {
	var values []float64
	for _, lag := range s.kin(s.now) {
		for _, p := range s.near(s.now - lag) {
			values = append(values, p.Value)
		}
	}
	return verdict(last.Value, usually, spread(values, usually))
}
