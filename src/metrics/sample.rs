//! Figures of one moment.

use super::table::Metric;

/// A figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A whole one.
    Whole(u64),
    /// One with a fraction.
    Real(f64),
}

/// A metric's value for some labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name.
    pub metric: &'static str,
    /// Its labels.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The figure.
    pub value: Value,
}

impl Sample {
    /// A whole figure without labels.
    pub fn new(metric: &'static Metric, value: u64) -> Self {
        Self { metric: metric.name, labels: Vec::new(), value: Value::Whole(value) }
    }

    /// A figure with a fraction, without labels.
    pub fn real(metric: &'static Metric, value: f64) -> Self {
        Self { metric: metric.name, labels: Vec::new(), value: Value::Real(value) }
    }

    /// With a label more.
    pub fn with(mut self, label: &'static str, value: &'static str) -> Self {
        self.labels.push((label, value));
        self
    }
}

/// A figure for each value of a metric's only label, or its last, in the order of the label's set.
pub(crate) fn by_label(metric: &'static Metric, figures: impl IntoIterator<Item = u64>) -> Vec<Sample> {
    let Some(label) = metric.labels.last() else { return Vec::new() };
    let samples = label.values.all().into_iter().zip(figures);
    samples.map(|(value, figure)| Sample::new(metric, figure).with(label.name, value)).collect()
}
