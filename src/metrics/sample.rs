//! The figures of one moment.

use super::table::Metric;

/// The value of a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A whole number.
    Whole(u64),
    /// A number with a fraction.
    Real(f64),
}

/// The value of a metric for some labels.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name of the metric.
    pub metric: &'static str,
    /// The labels of the figure, as names and values.
    pub labels: Vec<(&'static str, &'static str)>,
    /// The value.
    pub value: Value,
}

impl Sample {
    /// Returns a whole figure without labels.
    pub fn new(metric: &'static Metric, value: u64) -> Self {
        Self { metric: metric.name, labels: Vec::new(), value: Value::Whole(value) }
    }

    /// Returns a figure with a fraction, without labels.
    pub fn real(metric: &'static Metric, value: f64) -> Self {
        Self { metric: metric.name, labels: Vec::new(), value: Value::Real(value) }
    }

    /// Returns the figure with one more label.
    pub fn with(mut self, label: &'static str, value: &'static str) -> Self {
        self.labels.push((label, value));
        self
    }
}

/// Returns a figure for each value of a metric's last label, which may be its only one, in the
/// order of the label's set.
pub(crate) fn by_label(metric: &'static Metric, figures: impl IntoIterator<Item = u64>) -> Vec<Sample> {
    let Some(label) = metric.labels.last() else { return Vec::new() };
    let samples = label.values.all().into_iter().zip(figures);
    samples.map(|(value, figure)| Sample::new(metric, figure).with(label.name, value)).collect()
}
