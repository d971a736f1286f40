// Where the searches on IQ4 values start: equals kScaleStarts of quant/best_iq4.cpp.

const float kStartNegative = 110.0, kStartPositive = 95.0, kStartStep = 6.0;
